void cli_a(char *p)
{
    free(p);
    strcpy(p, "a");
}
