/* What numpy needs of a BLAS and LAPACK, in place of the 25 MB of OpenBLAS that its wheel brings.
 *
 * No served code multiplies matrices, but numpy's modules do not load without these names, and `import numpy` tries
 * one dot product. The BLAS routines that numpy calls are here as plain loops: `numpy.dot`, `@` and what is built on
 * them give right results, slower than OpenBLAS, and may round the last digit otherwise. The routines of LAPACK, which
 * numpy.linalg calls, are not here: each ends the process with a message that names it. REFUSED is ROUTINE(name) for
 * each of them, as replacement.py finds them in numpy's modules.
 */
#include <complex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int64_t integer;
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112, CONJ_TRANS = 113, UPPER = 121 };

/* Where a vector begins: with a negative step, at its other end. */
static integer first(integer n, integer step) { return step < 0 ? (1 - n) * step : 0; }

/* Where a matrix in the layout `order` has the number of a row and column, of the transposed matrix if `transposed`. */
static integer place(int order, int transposed, integer lead, integer row, integer column) {
  return (order == ROW_MAJOR) != transposed ? row * lead + column : column * lead + row;
}

#define TYPE float
#define NAME(routine) scipy_cblas_s##routine##64_
#define SCALAR(name) float name
#define VALUE(name) name
#define CONJ(number) number
#include "routines.h"

#define TYPE double
#define NAME(routine) scipy_cblas_d##routine##64_
#define SCALAR(name) double name
#define VALUE(name) name
#define CONJ(number) number
#include "routines.h"

#define COMPLEX
#define TYPE float complex
#define NAME(routine) scipy_cblas_c##routine##64_
#define SCALAR(name) const float complex *name
#define VALUE(name) (*name)
#define CONJ(number) conjf(number)
#include "routines.h"

#define TYPE double complex
#define NAME(routine) scipy_cblas_z##routine##64_
#define SCALAR(name) const double complex *name
#define VALUE(name) (*name)
#define CONJ(number) conj(number)
#include "routines.h"

#define REMEDY "take numpy's own library back, see docs/decisions/without-openblas.md"

static _Noreturn void refuse(const char *routine) {
  fprintf(stderr, "%s: this layer has no LAPACK, and numpy.linalg calls it: " REMEDY "\n", routine);
  abort();
}

#define ROUTINE(name) _Noreturn void name(void); void name(void) { refuse(#name); }
REFUSED
