using System.Globalization;
using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Penstock.Testing.Exploration;

/// <summary>
/// The core's own code, as it is compiled, with every latch, atomic operation and shared field of the given types turned into a step of the
/// exploration. Nothing in the sources is there for it, so nothing in a shipped build is.
/// </summary>
internal sealed class Instrumentation
{
    private readonly ModuleDefinition _module;
    private readonly Dictionary<string, System.Reflection.MethodInfo> _sync;

    private Instrumentation(ModuleDefinition module)
    {
        _module = module;
        _sync = typeof(Sync).GetMethods(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.Public)
            .ToDictionary(static m => $"{m.Name}({string.Join(',', m.GetParameters().Select(static p => NameOf(p.ParameterType)))})", StringComparer.Ordinal);
    }

    /// <summary>The places that were instrumented, and what would be broken at each; null where nothing can be.</summary>
    public List<(string Place, string? Fault)> Sites { get; } = [];

    /// <summary>Instruments the types, and those nested in them, of the assembly at <paramref name="path"/>.</summary>
    public static (byte[] Assembly, Instrumentation Done) Apply(string path, IReadOnlySet<string> types)
    {
        using var module = ModuleDefinition.ReadModule(path, new ReaderParameters { ReadSymbols = File.Exists(Path.ChangeExtension(path, ".pdb")) });
        var done = new Instrumentation(module);
        foreach (TypeDefinition type in module.Types.Where(t => types.Contains(t.FullName)))
        {
            done.ApplyTo(type, type.Name.Split('`')[0]);
        }

        done.ApplyToPool(module.GetType("Penstock.Execution.Pool`1"));
        using var written = new MemoryStream();
        module.Write(written);
        return (written.ToArray(), done);
    }

    private static string NameOf(Type type) => type.IsByRef ? $"{NameOf(type.GetElementType()!)}&" : type.IsGenericParameter ? "T" : type.FullName ?? type.Name;

    private static string NameOf(TypeReference type) =>
        type is ByReferenceType reference ? $"{NameOf(reference.ElementType)}&" : type is GenericParameter ? "T" : type.FullName;

    private void ApplyTo(TypeDefinition type, string name)
    {
        foreach (MethodDefinition method in type.Methods.Where(static m => m.HasBody && !m.IsConstructor))
        {
            ApplyTo(method, type.Name.StartsWith('<') ? $"{name}.{type.Name.TrimStart('<').Split('>')[0]}" : $"{name}.{method.Name.Split('.')[^1]}");
        }

        foreach (TypeDefinition nested in type.NestedTypes)
        {
            ApplyTo(nested, nested.Name.StartsWith('<') ? name : $"{name}.{nested.Name}");
        }
    }

    private void ApplyTo(MethodDefinition method, string name)
    {
        method.Body.SimplifyMacros();
        ILProcessor code = method.Body.GetILProcessor();
        bool isPrefixed = false;
        foreach (Instruction instruction in method.Body.Instructions.ToArray())
        {
            if (instruction.OpCode == OpCodes.Volatile)
            {
                Before(code, instruction, "Field(System.Int32)", AddSite(method, instruction, name, "volatile", null));
                isPrefixed = true;
                continue;
            }

            if (instruction.Operand is MethodReference called)
            {
                Replace(method, code, instruction, called, name);
            }
            else if (!isPrefixed && instruction.Operand is FieldReference field && IsShared(method, field))
            {
                ApplyToField(method, code, instruction, field, name);
            }

            isPrefixed = false;
        }

        method.Body.OptimizeMacros();
    }

    private static bool IsShared(MethodDefinition method, FieldReference field) =>
        field.Resolve() is { IsLiteral: false, IsStatic: false } found
        && (!found.IsInitOnly || found.FieldType.Namespace.StartsWith("System.Collections", StringComparison.Ordinal))
        && !found.DeclaringType.Name.StartsWith('<')
        && !found.Name.EndsWith(">P", StringComparison.Ordinal)
        && found.DeclaringType.Module == method.Module;

    /// <summary>A collection that is put aside is the object of a latch, not used.</summary>
    private static bool IsKeptForLatch(OpCode next) => next == OpCodes.Stloc || next == OpCodes.Stfld || next == OpCodes.Dup;

    private void ApplyToField(MethodDefinition method, ILProcessor code, Instruction instruction, FieldReference field, string name)
    {
        string what = field.Name.StartsWith('<') ? field.Name[1..].Split('>')[0] : field.Name;
        if (instruction.OpCode == OpCodes.Stfld)
        {
            int site = AddSite(method, instruction, name, $"store of {what}", $"{what} is not stored");
            Instruction next = instruction.Next;
            Instruction store = Before(code, instruction, "Store(System.Int32)", site);
            Instruction skip = Instruction.Create(OpCodes.Pop);
            code.InsertBefore(store, Instruction.Create(OpCodes.Brfalse, skip));
            code.InsertAfter(store, Instruction.Create(OpCodes.Br, next));
            code.InsertAfter(store.Next, skip);
            code.InsertAfter(skip, Instruction.Create(OpCodes.Pop));
        }
        else if (instruction.OpCode == OpCodes.Ldfld || (instruction.OpCode == OpCodes.Ldflda && field.FieldType.Name.StartsWith("ManualReset", StringComparison.Ordinal)))
        {
            bool isCollection = field.FieldType.Namespace.StartsWith("System.Collections", StringComparison.Ordinal) && !IsKeptForLatch(instruction.Next.OpCode);
            Instruction read = Before(code, instruction, "Field(System.Int32)", AddSite(method, instruction, name, $"read of {what}", null));
            if (isCollection)
            {
                code.InsertAfter(read, Instruction.Create(OpCodes.Call, _module.ImportReference(_sync["Collection(System.Object)"])));
                code.InsertAfter(read, Instruction.Create(OpCodes.Dup));
            }
        }
    }

    private void Replace(MethodDefinition method, ILProcessor code, Instruction instruction, MethodReference called, string name)
    {
        string type = called.DeclaringType.FullName;
        string? to = (type, called.Name) switch
        {
            ("System.Threading.Monitor" or "System.Threading.Volatile" or "System.Threading.Interlocked", _) => SiteCall(called),
            ("System.Threading.Thread", "Sleep") => "Sleep(System.Int32)",
            ("System.Threading.Thread", ".ctor") => "NewThread(System.Threading.ThreadStart)",
            ("System.Threading.Thread", "UnsafeStart") => "StartThread(System.Threading.Thread)",
            ("System.Threading.SpinWait", "SpinOnce") when called.Parameters.Count == 0 => "SpinOnce(System.Threading.SpinWait&)",
            ("System.Environment", "get_TickCount64") => "TickCount64()",
            ("Penstock.Execution.PoolWork", "Queue") => "QueueToPool(System.Action`1,System.Object)",
            _ => null,
        };
        if (to is null)
        {
            return;
        }

        string key = to.StartsWith("QueueToPool", StringComparison.Ordinal) ? _sync.Keys.Single(static k => k.StartsWith("QueueToPool", StringComparison.Ordinal)) : to;
        MethodReference target = _module.ImportReference(_sync.TryGetValue(key, out System.Reflection.MethodInfo? found)
            ? found
            : throw new NotSupportedException($"{name}: nothing stands for {called.FullName}"));
        if (called is GenericInstanceMethod generic && found.IsGenericMethod)
        {
            var instance = new GenericInstanceMethod(target);
            instance.GenericArguments.Add(generic.GenericArguments[0]);
            target = instance;
        }

        if (key.EndsWith("System.Int32)", StringComparison.Ordinal) && type is not "System.Threading.Thread")
        {
            Before(code, instruction, null, AddSite(method, instruction, name, called.Name, FaultOf(called, instruction)));
            instruction = instruction.Next;
        }

        instruction.OpCode = OpCodes.Call;
        instruction.Operand = target;
    }

    private static string SiteCall(MethodReference called) =>
        $"{called.DeclaringType.Name}{called.Name}({string.Concat(called.Parameters.Select(static p => $"{NameOf(p.ParameterType)},"))}System.Int32)";

    private static string? FaultOf(MethodReference called, Instruction instruction) => (called.DeclaringType.Name, called.Name) switch
    {
        ("Monitor", "Enter") => "the latch is not taken",
        ("Monitor", "Pulse" or "PulseAll") => "nobody is woken",
        ("Interlocked", "Exchange") when instruction.Next.OpCode == OpCodes.Pop => null,
        ("Interlocked", "MemoryBarrier") => null,
        ("Interlocked", _) => $"{called.Name} is not atomic",
        _ => null,
    };

    private int AddSite(MethodDefinition method, Instruction instruction, string name, string what, string? fault)
    {
        SequencePoint? point = null;
        for (Instruction? at = instruction; at is not null && point is null or { IsHidden: true }; at = at!.Previous)
        {
            point = method.DebugInformation.GetSequencePoint(at);
        }

        string line = point is null ? "" : string.Create(CultureInfo.InvariantCulture, $" ({Path.GetFileName(point.Document.Url)}:{point.StartLine})");
        Sites.Add(($"{name}: {what}{line}", fault is null ? null : $"{name}: {fault}"));
        return Sites.Count - 1;
    }

    /// <summary>Puts the site's number, and a call if one is named, before an instruction, which keeps the jumps that lead to it. Returns where it is now.</summary>
    private Instruction Before(ILProcessor code, Instruction instruction, string? call, int site)
    {
        Instruction moved = Instruction.Create(OpCodes.Nop);
        (moved.OpCode, moved.Operand) = (instruction.OpCode, instruction.Operand);
        (instruction.OpCode, instruction.Operand) = (OpCodes.Ldc_I4, site);
        code.InsertAfter(instruction, moved);
        if (call is not null)
        {
            code.InsertAfter(instruction, Instruction.Create(OpCodes.Call, _module.ImportReference(_sync[call])));
        }

        return moved;
    }

    /// <summary>A pool's objects are those of the execution.</summary>
    private void ApplyToPool(TypeDefinition pool)
    {
        var self = new GenericInstanceType(pool);
        self.GenericArguments.Add(pool.GenericParameters[0]);
        foreach (MethodDefinition method in pool.Methods.Where(static m => m.Name is "Rent" or "Return"))
        {
            method.Body = new Mono.Cecil.Cil.MethodBody(method);
            ILProcessor code = method.Body.GetILProcessor();
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(OpCodes.Ldarg_0);
            if (method.Name == "Return")
            {
                code.Body.Instructions.RemoveAt(1);
                code.Emit(OpCodes.Ldarg_1);
            }
            else
            {
                FieldDefinition create = pool.Fields.Single(static f => f.FieldType.Name.StartsWith("Func", StringComparison.Ordinal));
                code.Emit(OpCodes.Ldfld, new FieldReference(create.Name, create.FieldType, self));
            }

            var target = new GenericInstanceMethod(_module.ImportReference(_sync.Values.Single(m => m.Name == method.Name)));
            target.GenericArguments.Add(pool.GenericParameters[0]);
            code.Emit(OpCodes.Call, target);
            code.Emit(OpCodes.Ret);
            method.DebugInformation = null;
        }
    }
}
