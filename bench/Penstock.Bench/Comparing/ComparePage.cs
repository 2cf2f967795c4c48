using System.Net;
using System.Text;
using Penstock.Bench.Sizes;

namespace Penstock.Bench.Comparing;

/// <summary>The report as one page that needs nothing else.</summary>
internal static class ComparePage
{
    private const string Head = """
        <!doctype html><html lang="en"><meta charset="utf-8"><title>Penstock beside its peers</title>
        <style>
        body { font: 15px system-ui, sans-serif; margin: 2em auto; max-width: 72em; color: #222 }
        table { border-collapse: collapse; font-size: 13px } td, th { padding: .3em .6em; border-bottom: 1px solid #ddd; text-align: right }
        td:nth-child(1), td:nth-child(2), td:nth-child(8), th { text-align: left }
        .met { color: #06703a } .short { color: #a8201a } svg { margin: 1em 1em 0 0 } p { max-width: 50em }
        </style><h1>Penstock beside its peers</h1>
        <p>Each ratio is the median of interleaved pairs (ours, the peer's, ours, …) in one run, with the interval that holds the true median with 95&nbsp;%
        certainty. A row whose interval is wider than 3&nbsp;% to either side has decided nothing. Rates are operations a second; CPU is processor time of the
        process for each operation, without kernel threads of the peer.</p>
        """;

    public static string Render(CompareReport report)
    {
        var page = new StringBuilder(Head);
        page.Append("<table><tr>").AppendJoin("", CompareReport.Columns.Select(c => $"<th>{c}</th>")).Append("</tr>\n");
        foreach (string[] row in report.Cells())
        {
            page.Append("<tr>");
            for (int i = 0; i < row.Length; i++)
            {
                page.Append(i == 7 ? $"<td class=\"{WebUtility.HtmlEncode(row[i].Split(':')[0])}\">" : "<td>").Append(WebUtility.HtmlEncode(row[i])).Append("</td>");
            }

            page.Append("</tr>\n");
        }

        page.Append("</table>\n");
        page.Append("<ul>");
        foreach ((string text, bool isMet) in report.LimitLines)
        {
            page.Append($"<li class=\"{(isMet ? "met" : "short")}\">{WebUtility.HtmlEncode(text)}</li>");
        }

        page.Append("</ul>\n");
        if (report.Depths.Count > 0)
        {
            AppendDepths(page, report);
        }

        if (report.Sizes.Count > 0)
        {
            page.Append("<h2>Cost against size</h2>\n<p>On sparse volumes in memory, in process.</p>\n");
            foreach (SizeSweep sweep in report.Sizes)
            {
                page.Append(LineChart.Render(
                    $"{sweep.Name}, microseconds", [.. sweep.Points.Select(p => p.Size)], ("Penstock", [.. sweep.Points.Select(p => p.Microseconds)])));
            }
        }

        return page.Append("</html>\n").ToString();
    }

    private static void AppendDepths(StringBuilder page, CompareReport report)
    {
        string[] depths = [.. report.Depths.Select(d => d.Depth.ToString())];
        page.Append("<h2>Direct 4 KiB random reads by depth</h2>\n");
        page.Append(LineChart.Render("thousand reads a second", depths,
            ("Penstock, in process", [.. report.Depths.Select(d => d.Ours.Rate / 1000)]), ("fio, raw image", [.. report.Depths.Select(d => d.Theirs.Rate / 1000)])));
        page.Append(LineChart.Render("CPU microseconds for each read", depths,
            ("Penstock, in process", [.. report.Depths.Select(d => d.Ours.ProcessorMicroseconds)]),
            ("fio, raw image", [.. report.Depths.Select(d => d.Theirs.ProcessorMicroseconds)])));
        string[] percentiles = ["median", "p99", "p99.9"];
        for (int i = 0; i < percentiles.Length; i++)
        {
            int at = i;
            page.Append(LineChart.Render($"latency, {percentiles[i]}, microseconds", depths,
                ("Penstock, in process", [.. report.Depths.Select(d => d.Ours.Latency[at])]), ("fio, raw image", [.. report.Depths.Select(d => d.Theirs.Latency[at])])));
        }
    }
}
