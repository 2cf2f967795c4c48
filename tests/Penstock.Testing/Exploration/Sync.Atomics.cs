namespace Penstock.Testing.Exploration;

/// <content>Atomic operations. Only one strand runs at a time, so plain ones are atomic, but for the broken one.</content>
internal static partial class Sync
{
    public static T VolatileRead<T>(ref T place, int site)
        where T : class?
    {
        Enters(site);
        return place;
    }

    public static void VolatileWrite<T>(ref T place, T value, int site)
        where T : class?
    {
        Enters(site);
        place = value;
    }

    public static int VolatileRead(ref int place, int site) => Read(ref place, site);

    public static long VolatileRead(ref long place, int site) => Read(ref place, site);

    public static bool VolatileRead(ref bool place, int site) => Read(ref place, site);

    public static void VolatileWrite(ref int place, int value, int site) => Write(ref place, value, site);

    public static void VolatileWrite(ref long place, long value, int site) => Write(ref place, value, site);

    public static void VolatileWrite(ref bool place, bool value, int site) => Write(ref place, value, site);

    public static int InterlockedIncrement(ref int place, int site) => Change(ref place, static (old, _) => old + 1, 0, site).New;

    public static long InterlockedIncrement(ref long place, int site) => Change(ref place, static (old, _) => old + 1, 0, site).New;

    public static int InterlockedDecrement(ref int place, int site) => Change(ref place, static (old, _) => old - 1, 0, site).New;

    public static long InterlockedDecrement(ref long place, int site) => Change(ref place, static (old, _) => old - 1, 0, site).New;

    public static int InterlockedAdd(ref int place, int value, int site) => Change(ref place, static (old, v) => old + v, value, site).New;

    public static long InterlockedAdd(ref long place, long value, int site) => Change(ref place, static (old, v) => old + v, value, site).New;

    public static long InterlockedOr(ref long place, long value, int site) => Change(ref place, static (old, v) => old | v, value, site).Old;

    public static int InterlockedExchange(ref int place, int value, int site) => Change(ref place, static (_, v) => v, value, site).Old;

    public static long InterlockedExchange(ref long place, long value, int site) => Change(ref place, static (_, v) => v, value, site).Old;

    public static T InterlockedExchange<T>(ref T place, T value, int site) => Change(ref place, static (_, v) => v, value, site).Old;

    public static int InterlockedCompareExchange(ref int place, int value, int expected, int site) =>
        Change(ref place, static (old, v) => old == v.Expected ? v.Value : old, (Value: value, Expected: expected), site).Old;

    public static long InterlockedCompareExchange(ref long place, long value, long expected, int site) =>
        Change(ref place, static (old, v) => old == v.Expected ? v.Value : old, (Value: value, Expected: expected), site).Old;

    public static T InterlockedCompareExchange<T>(ref T place, T value, T expected, int site) =>
        Change(ref place, static (old, v) => ReferenceEquals(old, v.Expected) ? v.Value : old, (Value: value, Expected: expected), site).Old;

    public static void InterlockedMemoryBarrier(int site) => Enters(site);

    public static void VolatileReadBarrier(int site) => Enters(site);

    private static T Read<T>(ref T place, int site)
    {
        Enters(site);
        return place;
    }

    private static void Write<T>(ref T place, T value, int site)
    {
        Enters(site);
        place = value;
    }

    private static (T Old, T New) Change<T, TArgument>(ref T place, Func<T, TArgument, T> change, TArgument argument, int site)
    {
        bool isStrand = Enters(site);
        T old = place;
        T changed = change(old, argument);
        if (isStrand && IsBroken(site))
        {
            Execution.Current!.Step(site);
        }

        place = changed;
        return (old, changed);
    }
}
