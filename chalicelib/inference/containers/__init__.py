"""A picture's own bytes: one reader for each format finds them, bounds them and drops what is not decoded.

A reader walks the parts of a file once: a JPEG's segments, the chunks of PNG and WebP, a GIF's blocks. It keeps what
changes pixels. It drops colour profiles, text, thumbnails and everything behind the end of the picture: the video of a
motion photo, the second picture of MPO and Ultra HDR. What it returns is `stripped.Stripped`; `orientation` reads the
one field of EXIF that is used. No reader decodes a pixel.
"""
