namespace Penstock.Memory;

/// <summary>Marks memory that belongs to this process alone and is mapped from no file: touching it waits for nobody.</summary>
internal interface IPrivateMemory;
