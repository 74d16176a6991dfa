#if 1
int base_a(void)
{
#ifdef __linux__
    return 1;
#else
    return 2;
#endif
}
#endif
