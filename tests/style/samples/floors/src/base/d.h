int d(void);
