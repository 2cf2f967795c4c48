using System.Runtime.CompilerServices;

namespace Penstock;

/// <summary>The text of a value that broke its rule: put together only once the rule is broken, so that a check that holds costs no memory.</summary>
[InterpolatedStringHandler]
internal ref struct FoundValue
{
    private DefaultInterpolatedStringHandler text;

    public FoundValue(int literalLength, int formattedCount, bool holds, out bool isNeeded)
    {
        isNeeded = !holds;
        text = holds ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount, System.Globalization.CultureInfo.InvariantCulture);
    }

    public void AppendLiteral(string value) => text.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => text.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string format) => text.AppendFormatted(value, format);

    public override string ToString() => text.ToStringAndClear();
}
