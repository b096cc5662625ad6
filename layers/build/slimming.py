"""What a layer leaves out: whole files that serving never imports. Nothing is stripped or patched.

Each rule is a shell pattern over names as in the wheel (`*` crosses `/`) and the reason. `proof` proves what
remains: it maps the codec of every format that is served. A test checks that each rule matches a file.
"""

from fnmatch import fnmatchcase

LEFT_OUT: dict[str, str] = {
    # any wheel
    "*.pyi": "type stubs",
    "*/py.typed": "type stubs",
    "*.pxd": "for compiling against numpy",
    "*.h": "for compiling against numpy",
    "*.a": "for compiling against numpy",
    "*/tests/*": "tests",
    "*/conftest.py": "tests",
    "*.dist-info/RECORD": "no longer true once files are left out",
    "*.dist-info/entry_points.txt": "command lines",
    "*.dist-info/top_level.txt": "for the build tool that made the wheel",
    "*.dist-info/sboms/*": "describes libraries that are left out too",
    # LiteRT: `ai_edge_litert.interpreter` needs the wrapper and libpywrap_litert_common.so
    "ai_edge_litert/libLiteRt.so": "the CompiledModel API's runtime; the package loads it only where it exists",
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so": "GPU accelerator",
    "ai_edge_litert/vendors/*": "NPU compilers",
    "ai_edge_litert/tools/*": "benchmarks and model surgery",
    "ai_edge_litert/aot/*": "ahead-of-time compilation for NPUs",
    "ai_edge_litert/tflite/*": "converter",
    "ai_edge_litert/*_pb2.py": "converter's and tools' messages",
    "ai_edge_litert/schema_py_generated.py": "model surgery",
    "ai_edge_litert/*_options.py": "CompiledModel API",
    "ai_edge_litert/compiled_model.py": "CompiledModel API",
    # numpy: all of these are imported at first use only
    "numpy/_core/_simd.*": "tests of numpy's SIMD layer",
    "numpy/_core/_*_tests.*": "tests",
    "numpy/_core/include/*": "for compiling against numpy",
    "numpy/_core/lib/*": "for compiling against numpy",
    "numpy/_configtool.py": "command line",
    "numpy/_pyinstaller/*": "another packager's hooks",
    "numpy.libs/*": "OpenBLAS with its Fortran runtime; layers/blas stands in for it",
    "numpy/linalg/lapack_lite.*": "another interface to LAPACK",
    "numpy/doc/*": "documentation",
    "numpy/f2py/*": "Fortran wrappers",
    "numpy/fft/*": "Fourier transforms",
    "numpy/ma/*": "masked arrays",
    "numpy/polynomial/*": "polynomials",
    "numpy/random/*": "random numbers",
    "numpy/testing/*": "tests",
    # Pillow: `images` opens five formats; MPO and TIFF stay, for JPEGs of phones and for EXIF
    "PIL/_avif.*": "AVIF is not served",
    "PIL/_imagingcms.*": "colour management",
    "PIL/_imagingft.*": "text",
    "PIL/_imagingmath.*": "arithmetic on images",
    "PIL/_imagingmorph.*": "morphology",
    "PIL/_imagingtk.*": "windows",
    "pillow.libs/libavif-*": "AVIF is not served",
    "pillow.libs/libbrotli*": "text",
    "pillow.libs/libfreetype-*": "text",
    "pillow.libs/libharfbuzz-*": "text",
    "pillow.libs/liblcms2-*": "colour management",
    "pillow.libs/libpng16-*": "text with bitmaps; PIL reads PNG itself",
    # base64, and a PNG's rows: one extension module of each is imported
    "pybase64/__main__.py": "command line",
    "pybase64/_fallback.py": "for where the extension module is missing; the standard library does as well",
    "pybase64/_typing.py": "type stubs",
    "pyspng/main.cpp": "source",
    "zlib_ng/gzip_ng*.py": "gzip files",
    "zlib_ng/zlib-ng/README.md": "documentation",
    "PIL/*.py": "a format, a tool or a window that is not served",
}

KEPT = frozenset(
    f"PIL/{module}.py"
    for module in [
        *("__init__", "_binary", "_deprecate", "_typing", "_util", "_version"),
        *("Image", "ImageChops", "ImageColor", "ImageFile", "ImageFilter", "ImageMode", "ImageOps", "ImagePalette"),
        *("ImageSequence", "ExifTags", "TiffTags", "GimpGradientFile", "GimpPaletteFile", "PaletteFile", "JpegPresets"),
        *("BmpImagePlugin", "GifImagePlugin", "JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin"),
        *("MpoImagePlugin", "PpmImagePlugin", "TiffImagePlugin"),  # phones' JPEGs; always registered; EXIF
    ]
)
"""Exceptions to the rules: what Pillow imports for the five formats, at once or when a picture needs it."""


def reason_to_leave_out(name: str) -> str | None:
    """Why the wheel's file `name` is not needed; None if the layer keeps it."""
    if name in KEPT:
        return None
    return next((reason for pattern, reason in LEFT_OUT.items() if fnmatchcase(name, pattern)), None)
