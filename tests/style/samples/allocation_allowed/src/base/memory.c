void *memory_a(void)
{
    return malloc(4);
}
