using System.Text;

namespace Penstock.Tests.Tidy;

/// <summary>Blanks comments and the text of strings. What stands in the holes of an interpolated string is code and stays.</summary>
internal sealed class CodeText
{
    private readonly string _text;
    private readonly StringBuilder _code;
    private int _at;

    private CodeText(string text)
    {
        _text = text;
        _code = new StringBuilder(text.Length);
    }

    public static string Strip(string text)
    {
        var strip = new CodeText(text);
        while (strip._at < text.Length)
        {
            strip.Code(closesAtBrace: false);
        }

        return strip._code.ToString();
    }

    private bool Sees(string what) => string.CompareOrdinal(_text, _at, what, 0, what.Length) == 0;

    private void Keep() => _code.Append(_text[_at++]);

    private void Blank(int count = 1)
    {
        for (; count > 0 && _at < _text.Length; count--, _at++)
        {
            _code.Append(_text[_at] is '\n' ? '\n' : ' ');
        }
    }

    /// <summary>Code up to the end, or to the brace that closes a hole.</summary>
    private void Code(bool closesAtBrace)
    {
        int depth = 0;
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (closesAtBrace && depth == 0 && c == '}')
            {
                return;
            }

            depth += c switch { '{' => 1, '}' => -1, _ => 0 };
            if (!TryBlank(c))
            {
                Keep();
            }
        }
    }

    private bool TryBlank(char c)
    {
        if (Sees("//"))
        {
            Blank(LengthTo("\n"));
        }
        else if (Sees("/*"))
        {
            Blank(LengthTo("*/") + 2);
        }
        else if (c == '\'')
        {
            Blank(_at + 1 < _text.Length && _text[_at + 1] == '\\' ? LengthTo("'", 3) + 1 : 3);
        }
        else if (c is '"' or '$' or '@' && OpensString(out int dollars, out int quotes, out bool isVerbatim))
        {
            String(dollars, quotes, isVerbatim);
        }
        else
        {
            return false;
        }

        return true;
    }

    private int LengthTo(string end, int from = 0)
    {
        int found = _text.IndexOf(end, Math.Min(_at + from, _text.Length), StringComparison.Ordinal);
        return (found < 0 ? _text.Length : found) - _at;
    }

    private bool OpensString(out int dollars, out int quotes, out bool isVerbatim)
    {
        int at = _at;
        (dollars, quotes, isVerbatim) = (0, 0, false);
        for (; at < _text.Length && _text[at] is '$' or '@'; at++)
        {
            dollars += _text[at] == '$' ? 1 : 0;
            isVerbatim |= _text[at] == '@';
        }

        for (; at < _text.Length && _text[at] == '"'; at++)
        {
            quotes++;
        }

        return quotes > 0;
    }

    private void String(int dollars, int quotes, bool isVerbatim)
    {
        bool isRaw = quotes >= 3;
        string end = new('"', isRaw ? quotes : 1);
        Blank(LengthTo("\"") + end.Length);
        if (quotes == 2)
        {
            Blank();
            return;
        }

        while (_at < _text.Length && !Sees(end))
        {
            if (!isRaw && !isVerbatim && Sees("\\"))
            {
                Blank(2);
            }
            else if (dollars > 0 && Sees(new string('{', isRaw ? dollars : 1)))
            {
                Hole(isRaw ? dollars : 1, isRaw);
            }
            else if (isVerbatim && Sees("\"\""))
            {
                Blank(2);
            }
            else
            {
                Blank();
            }

            if (isVerbatim && Sees("\"\""))
            {
                Blank(2);
            }
        }

        Blank(end.Length);
    }

    private void Hole(int braces, bool isRaw)
    {
        if (!isRaw && Sees("{{"))
        {
            Blank(2);
            return;
        }

        Blank(braces);
        Code(closesAtBrace: true);
        Blank(braces);
    }
}
