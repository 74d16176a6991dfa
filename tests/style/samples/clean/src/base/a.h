#ifndef BASE_A_H
#define BASE_A_H
#ifdef __cplusplus
extern "C" {
#endif
int base_a(void);
#ifdef __cplusplus
}
#endif
#endif
