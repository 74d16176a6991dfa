/* A. */ 
extern const int a;
