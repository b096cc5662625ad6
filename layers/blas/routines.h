/* The routines of one number type; blas.c includes this once for each.
 *
 * It defines before: TYPE; NAME(routine), the routine's name; SCALAR(name), a parameter that holds one number, by value
 * or by address as the interface has it; VALUE(name), that number; CONJ(number); and COMPLEX for the complex types.
 * Source: the reference BLAS (netlib.org/blas), and its C interface, cblas.h.
 */

/* y += alpha x */
void NAME(axpy)(integer n, SCALAR(alpha), const TYPE *x, integer step_x, TYPE *y, integer step_y) {
  x += first(n, step_x), y += first(n, step_y);
  for (integer i = 0; i < n; i++) y[i * step_y] += VALUE(alpha) * x[i * step_x];
}

/* The sum of x y, or of conj(x) y. */
static TYPE NAME(sum)(int conjugate, integer n, const TYPE *x, integer step_x, const TYPE *y, integer step_y) {
  TYPE sum = 0;
  x += first(n, step_x), y += first(n, step_y);
  for (integer i = 0; i < n; i++) sum += (conjugate ? CONJ(x[i * step_x]) : x[i * step_x]) * y[i * step_y];
  return sum;
}

#ifdef COMPLEX
void NAME(dotu_sub)(integer n, const TYPE *x, integer step_x, const TYPE *y, integer step_y, TYPE *sum) {
  *sum = NAME(sum)(0, n, x, step_x, y, step_y);
}

void NAME(dotc_sub)(integer n, const TYPE *x, integer step_x, const TYPE *y, integer step_y, TYPE *sum) {
  *sum = NAME(sum)(1, n, x, step_x, y, step_y);
}
#else
TYPE NAME(dot)(integer n, const TYPE *x, integer step_x, const TYPE *y, integer step_y) {
  return NAME(sum)(0, n, x, step_x, y, step_y);
}
#endif

/* One number of a matrix in the layout `order`, `form` applied to it. */
static TYPE NAME(at)(int order, int form, const TYPE *a, integer lead, integer row, integer column) {
  TYPE number = a[place(order, form != NO_TRANS, lead, row, column)];
  return form == CONJ_TRANS ? CONJ(number) : number;
}

/* beta c + alpha sum; c is not read if beta is 0, for it may hold anything then. */
static void NAME(put)(TYPE *c, TYPE sum, TYPE alpha, TYPE beta) {
  *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
}

/* c = alpha form_a(a) form_b(b) + beta c; c is (m, n), the inner dimension k. */
void NAME(gemm)(int order, int form_a, int form_b, integer m, integer n, integer k, SCALAR(alpha), const TYPE *a,
                integer lead_a, const TYPE *b, integer lead_b, SCALAR(beta), TYPE *c, integer lead_c) {
  for (integer row = 0; row < m; row++)
    for (integer column = 0; column < n; column++) {
      TYPE sum = 0;
      for (integer i = 0; i < k; i++)
        sum += NAME(at)(order, form_a, a, lead_a, row, i) * NAME(at)(order, form_b, b, lead_b, i, column);
      NAME(put)(c + place(order, 0, lead_c, row, column), sum, VALUE(alpha), VALUE(beta));
    }
}

/* y = alpha form(a) x + beta y; a is (m, n) before `form`. */
void NAME(gemv)(int order, int form, integer m, integer n, SCALAR(alpha), const TYPE *a, integer lead, const TYPE *x,
                integer step_x, SCALAR(beta), TYPE *y, integer step_y) {
  integer rows = form == NO_TRANS ? m : n, columns = form == NO_TRANS ? n : m;
  x += first(columns, step_x), y += first(rows, step_y);
  for (integer row = 0; row < rows; row++) {
    TYPE sum = 0;
    for (integer i = 0; i < columns; i++) sum += NAME(at)(order, form, a, lead, row, i) * x[i * step_x];
    NAME(put)(y + row * step_y, sum, VALUE(alpha), VALUE(beta));
  }
}

/* The upper or lower triangle of c = alpha a a' + beta c, or of alpha a' a + beta c; c is (n, n). */
void NAME(syrk)(int order, int half, int form, integer n, integer k, SCALAR(alpha), const TYPE *a, integer lead_a,
                SCALAR(beta), TYPE *c, integer lead_c) {
  int left = form == NO_TRANS ? NO_TRANS : TRANS, right = form == NO_TRANS ? TRANS : NO_TRANS;
  for (integer row = 0; row < n; row++)
    for (integer column = half == UPPER ? row : 0; column < (half == UPPER ? n : row + 1); column++) {
      TYPE sum = 0;
      for (integer i = 0; i < k; i++)
        sum += NAME(at)(order, left, a, lead_a, row, i) * NAME(at)(order, right, a, lead_a, i, column);
      NAME(put)(c + place(order, 0, lead_c, row, column), sum, VALUE(alpha), VALUE(beta));
    }
}

#undef TYPE
#undef NAME
#undef SCALAR
#undef VALUE
#undef CONJ
