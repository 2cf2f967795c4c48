namespace Penstock.Execution;

/// <summary>Some of the rules. Immutable.</summary>
internal readonly record struct RuleSet
{
    private readonly UInt128 _bits;

    private RuleSet(UInt128 bits) => _bits = bits;

    public static RuleSet Of(params ReadOnlySpan<Rule> rules)
    {
        UInt128 bits = 0;
        foreach (Rule rule in rules)
        {
            bits |= rule == Rule.None ? 0 : UInt128.One << (int)rule;
        }

        return new RuleSet(bits);
    }

    public bool Contains(Rule rule) => (_bits >> (int)rule & 1) != 0;
}
