#include <pthread.h>
#include <stdio.h>
