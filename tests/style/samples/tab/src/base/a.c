/* A. */
int base_a(void)
{
	return 1;
}
