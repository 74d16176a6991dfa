/* A file. */
int base_one(void)
{
    return 1;
}
