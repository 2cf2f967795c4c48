namespace Penstock.Tests;
public sealed class SmokeTest { [Xunit.Fact] public void Runs() => Xunit.Assert.True(true); }
