void base_calls(char *a, const char *b)
{
    strcpy(a, b);
    strcat(a, b);
    sprintf(a, "x");
    vsprintf(a, b, v);
    strtok(a, b);
    gets(a);
    atoi(a);
    atof(a);
    alloca(4);
    system(b);
    popen(b, "r");
    rand();
    srand(1);
    malloc(4);
    free(a);
    calloc(1, 2);
    realloc(a, 2);
    strdup(b);
    snprintf(a, 4, "strcpy(a, b)"); /* malloc(4) */
    allocator->free(a);
    base_free(a);
    arena.malloc(4);
}
