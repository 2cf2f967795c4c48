using System.Runtime.CompilerServices;

// Every signature here is blittable; nothing is left for the runtime to marshal.
[assembly: DisableRuntimeMarshalling]
