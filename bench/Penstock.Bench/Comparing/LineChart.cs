using System.Globalization;
using System.Net;
using System.Text;

namespace Penstock.Bench.Comparing;

/// <summary>A chart as inline SVG: lines over equally spaced categories, from zero.</summary>
internal static class LineChart
{
    private const int Width = 420;
    private const int Height = 240;
    private const int Margin = 44;
    private static readonly string[] s_colours = ["#0b62a4", "#c4651a", "#4d8b31", "#8a4f9e"];

    public static string Render(string title, string[] categories, params ReadOnlySpan<(string Name, double[] Values)> series)
    {
        double most = 1e-9;
        foreach ((_, double[] values) in series)
        {
            most = Math.Max(most, values.Max());
        }

        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg width=\"{Width}\" height=\"{Height}\" font-size=\"11\" fill=\"#333\">");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Margin}\" y=\"14\" font-weight=\"bold\">{WebUtility.HtmlEncode(title)}</text>");
        for (int i = 0; i <= 4; i++)
        {
            double y = Y(most * i / 4, most);
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Margin}\" x2=\"{Width - 8}\" y1=\"{y:F1}\" y2=\"{y:F1}\" stroke=\"#ddd\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Margin - 4}\" y=\"{y + 4:F1}\" text-anchor=\"end\">{most * i / 4:G3}</text>");
        }

        for (int i = 0; i < categories.Length; i++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(i, categories.Length):F1}\" y=\"{Height - 8}\" text-anchor=\"middle\">{categories[i]}</text>");
        }

        for (int s = 0; s < series.Length; s++)
        {
            string points = string.Join(' ', series[s].Values.Select((v, i) =>
                string.Create(CultureInfo.InvariantCulture, $"{X(i, categories.Length):F1},{Y(v, most):F1}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{points}\" fill=\"none\" stroke=\"{s_colours[s]}\" stroke-width=\"2\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Margin + 6}\" y=\"{32 + (s * 14)}\" fill=\"{s_colours[s]}\">{WebUtility.HtmlEncode(series[s].Name)}</text>");
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static double X(int index, int count) => Margin + 10 + (index * (Width - Margin - 28.0) / Math.Max(count - 1, 1));

    private static double Y(double value, double most) => Height - 26 - (value / most * (Height - 50));
}
