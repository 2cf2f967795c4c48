namespace Penstock.Testing.Exploration;

/// <summary>One thread of an exploration. It runs only while it has been told to go on, and tells the execution before each step.</summary>
internal sealed class Strand(int index)
{
    public int Index => index;

    public SemaphoreSlim Go { get; } = new(0);

    public string Name { get; set; } = "";

    public Action? Body { get; set; }

    /// <summary>Serves the others: an execution ends without it.</summary>
    public bool IsDaemon { get; set; }

    public bool IsDone { get; set; }

    /// <summary>What it waits for; null: it can go on.</summary>
    public Func<bool>? WaitsFor { get; set; }

    /// <summary>Waits for time to pass, which it does when nobody else can go on.</summary>
    public bool IsAsleep { get; set; }

    /// <summary>How often it slept.</summary>
    public int Woken { get; set; }

    /// <summary>How many latches it holds: what is done under one is seen by nobody in between.</summary>
    public int Latches { get; set; }

    /// <summary>The site of its last step.</summary>
    public int Site { get; set; } = -1;

    public bool CanGoOn => !IsDone && (WaitsFor is null || WaitsFor());
}

/// <summary>Ends the strands of an execution that is over.</summary>
internal sealed class ExecutionEndedException : Exception;
