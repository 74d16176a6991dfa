/* Operations of every instruction set against double precision, on odd lengths, and with nothing written
 * beside the range. */
#include "cpu/ops.h"

#include "ops_testing.h"

static const int64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 576, 1000};
enum { LENGTHS = (int)(sizeof lengths / sizeof lengths[0]) };

/* Error relative to the expected value. */
static void check_relative(const char *what, cpu_isa isa, double x, double actual, double expected,
                           double allowed)
{
    if (!(fabs(actual - expected) <= allowed * fabs(expected) + 1e-37)) {
        test_fail(__FILE__, __LINE__, "%s(%.9g) on %s is %.9g, expected %.9g (relative %.3g > %.3g)", what, x,
                  cpu_isa_name(isa), actual, expected, fabs(actual - expected) / fabs(expected), allowed);
    }
}

/* Numbers of every size and sign, dense where functions bend. */
static int64_t make_inputs(float *x)
{
    int64_t n = 0;
    for (int i = -4000; i <= 4000; i++) {
        x[n++] = (float)i * 0.005f;
    }
    for (int e = -60; e <= 20; e++) {
        x[n++] = ldexpf(1.37f, e);
        x[n++] = -ldexpf(1.71f, e);
    }
    return n;
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double gelu_tanh(double x)
{
    /* 1 + tanh(u) without cancellation */
    double u = sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
    return x / (1 + exp(-2 * u));
}

TEST(ops_activations_are_correct_to_a_millionth)
{
    enum { CAPACITY = 8001 + 162 };
    float *x = malloc(CAPACITY * sizeof(float)), *y = malloc(CAPACITY * sizeof(float));
    float *ones = malloc(CAPACITY * sizeof(float));
    int64_t n = make_inputs(x);
    for (int64_t i = 0; i < n; i++) {
        ones[i] = 1;
    }
    FOR_EACH_ISA(isa)
    {
        const cpu_ops *ops = cpu_ops_for(isa);
        CHECK_EQUAL(ops->isa, isa);
        memcpy(y, x, (size_t)n * sizeof(float));
        ops->silu_multiply(y, ones, n);
        for (int64_t i = 0; i < n; i++) {
            if (x[i] > -80) { /* below, the result leaves the normal numbers */
                check_relative("silu", isa, (double)x[i], (double)y[i], silu((double)x[i]), 4e-7);
            } else {
                CHECK_NEAR(y[i], 0, 1e-32);
            }
        }
        memcpy(y, x, (size_t)n * sizeof(float));
        ops->gelu_tanh_multiply(y, ones, n);
        for (int64_t i = 0; i < n; i++) {
            if (x[i] > -8) { /* e^(2u) multiplies the rounding of u, which is near 60 at the end */
                check_relative("gelu", isa, (double)x[i], (double)y[i], gelu_tanh((double)x[i]),
                               x[i] > -2 ? 8e-7 : 8e-6);
            } else {
                CHECK_NEAR(y[i], 0, 1e-15);
            }
        }
        memcpy(y, x, (size_t)n * sizeof(float));
        ops->soft_cap(y, 3.0f, n);
        for (int64_t i = 0; i < n; i++) {
            check_relative("soft_cap", isa, (double)x[i], (double)y[i], 3 * tanh((double)x[i] / 3), 3e-7);
        }
    }
    free(x);
    free(y);
    free(ones);
}

TEST(ops_activations_of_huge_numbers_and_nan)
{
    FOR_EACH_ISA(isa)
    {
        const cpu_ops *ops = cpu_ops_for(isa);
        float x[5] = {INFINITY, 3e38f, -3e38f, NAN, 0}, ones[5] = {1, 1, 1, 1, 1}, y[5];
        memcpy(y, x, sizeof x);
        ops->silu_multiply(y, ones, 5);
        CHECK(y[0] == INFINITY && y[1] == 3e38f && y[2] == 0 && isnan(y[3]) && y[4] == 0);
        memcpy(y, x, sizeof x);
        ops->gelu_tanh_multiply(y, ones, 5);
        CHECK(y[0] == INFINITY && y[1] == 3e38f && y[2] == 0 && isnan(y[3]) && y[4] == 0);
        memcpy(y, x, sizeof x);
        ops->soft_cap(y, 50, 5);
        CHECK(y[0] == 50 && y[1] == 50 && y[2] == -50 && isnan(y[3]) && y[4] == 0);
    }
}

/* y[0 .. n) must be as expected and y[n] the guard that was put there. */
static void check_row(const char *what, cpu_isa isa, const float *y, const double *expected, int64_t n,
                      double allowed)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs((double)y[i] - expected[i]) <= allowed)) {
            test_fail(__FILE__, __LINE__, "%s on %s, length %d: [%d] is %.9g, expected %.9g", what,
                      cpu_isa_name(isa), (int)n, (int)i, (double)y[i], expected[i]);
        }
    }
    CHECK(y[n] == 12345);
}

TEST(ops_on_odd_lengths_stay_in_their_range)
{
    FOR_EACH_ISA(isa)
    {
        const cpu_ops *ops = cpu_ops_for(isa);
        for (int k = 0; k < LENGTHS; k++) {
            int64_t n = lengths[k];
            float *x = random_floats((size_t)n + 1, 3), *z = random_floats((size_t)n + 1, 4);
            float *y = malloc(((size_t)n + 1) * sizeof(float));
            double *expected = malloc((size_t)n * sizeof(double));
            for (int op = 0; op < 4; op++) {
                memcpy(y, x, (size_t)n * sizeof(float));
                y[n] = 12345;
                for (int64_t i = 0; i < n; i++) {
                    double a = (double)x[i], b = (double)z[i];
                    expected[i] = op == 0   ? a + b
                                  : op == 1 ? a * 1.75
                                  : op == 2 ? silu(a) * b
                                            : gelu_tanh(a) * b;
                }
                if (op == 0) {
                    ops->add(y, z, n);
                } else if (op == 1) {
                    ops->scale(y, 1.75f, n);
                } else if (op == 2) {
                    ops->silu_multiply(y, z, n);
                } else {
                    ops->gelu_tanh_multiply(y, z, n);
                }
                check_row("add, scale, silu, gelu", isa, y, expected, n, 2e-6);
            }
            free(x);
            free(y);
            free(z);
            free(expected);
        }
    }
}

TEST(ops_rms_norm_equals_double_precision)
{
    FOR_EACH_ISA(isa)
    {
        for (int k = 0; k < LENGTHS; k++) {
            enum { ROWS = 3 };
            int64_t n = lengths[k], x_stride = n + 4, y_stride = n + 1;
            float *x = random_floats((size_t)(ROWS * x_stride), 8), *weight = random_floats((size_t)n, 9);
            float *y = malloc((size_t)(ROWS * y_stride) * sizeof(float));
            double *expected = malloc((size_t)n * sizeof(double));
            for (int64_t i = 0; i < ROWS * y_stride; i++) {
                y[i] = 12345;
            }
            cpu_ops_for(isa)->rms_norm(x, x_stride, weight, 1e-5f, y, y_stride, n, 1, ROWS);
            for (int64_t r = 1; r < ROWS; r++) {
                double sum = 0, size = 0;
                for (int64_t i = 0; i < n; i++) {
                    sum += (double)x[r * x_stride + i] * (double)x[r * x_stride + i];
                }
                for (int64_t i = 0; i < n; i++) {
                    expected[i] =
                        (double)x[r * x_stride + i] / sqrt(sum / (double)n + 1e-5) * (double)weight[i];
                    size = fmax(size, fabs(expected[i]));
                }
                check_row("rms_norm", isa, y + r * y_stride, expected, n, 1e-6 * size + 1e-9);
            }
            CHECK(y[0] == 12345); /* row 0 was not asked for */
            cpu_ops_for(isa)->rms_norm(x, x_stride, weight, 1e-5f, x, x_stride, n, 1, ROWS);
            CHECK(memcmp(x + x_stride, y + y_stride, (size_t)n * sizeof(float)) ==
                  0); /* in place is the same */
            free(x);
            free(y);
            free(weight);
            free(expected);
        }
    }
}

TEST(ops_log_sum_exp_is_stable)
{
    FOR_EACH_ISA(isa)
    {
        const cpu_ops *ops = cpu_ops_for(isa);
        for (int k = 0; k < LENGTHS; k++) {
            int64_t n = lengths[k];
            float *x = random_floats((size_t)n, 21);
            double sum = 0;
            for (int64_t i = 0; i < n; i++) {
                x[i] = x[i] * 10 + 500;
                sum += exp((double)x[i] - 500);
            }
            CHECK_NEAR(ops->log_sum_exp(x, n), log(sum) + 500, 4e-5); /* half a unit of 500 in float32 */
            free(x);
        }
        int64_t many = 151936;
        float *logits = random_floats((size_t)many, 22);
        double sum = 0;
        for (int64_t i = 0; i < many; i++) {
            sum += exp((double)logits[i]);
        }
        CHECK_NEAR(ops->log_sum_exp(logits, many), log(sum), 1e-6);
        free(logits);
        const float nothing[3] = {-INFINITY, -INFINITY, -INFINITY}, one[3] = {-INFINITY, 2, -INFINITY};
        CHECK(ops->log_sum_exp(nothing, 3) == -INFINITY);
        CHECK_NEAR(ops->log_sum_exp(one, 3), 2, 1e-7);
    }
}

TEST(ops_argmax_takes_the_first_of_equals)
{
    FOR_EACH_ISA(isa)
    {
        const cpu_ops *ops = cpu_ops_for(isa);
        for (int k = 0; k < LENGTHS; k++) {
            int64_t n = lengths[k];
            float *x = random_floats((size_t)n, 30 + (uint64_t)k);
            for (int64_t at = 0; at < n; at += 1 + n / 13) {
                float before = x[at], last = x[n - 1];
                x[at] = x[n - 1] = 99;
                CHECK_EQUAL(ops->argmax(x, n), at);
                x[n - 1] = last;
                x[at] = before;
            }
            free(x);
        }
        const float odd[4] = {NAN, -INFINITY, -3, NAN}, none[2] = {NAN, NAN}, low[2] = {-INFINITY, -INFINITY};
        CHECK_EQUAL(ops->argmax(odd, 4), 2);
        CHECK_EQUAL(ops->argmax(none, 2), 0);
        CHECK_EQUAL(ops->argmax(low, 2), 0);
    }
}

TEST(ops_of_an_unknown_instruction_set_are_scalar)
{
    CHECK_EQUAL(cpu_ops_for((cpu_isa)77)->isa, CPU_ISA_SCALAR);
    CHECK_EQUAL(cpu_ops_for(CPU_ISA_SCALAR)->isa, CPU_ISA_SCALAR);
}
