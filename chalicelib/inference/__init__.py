"""From a picture's bytes to ranked labels. Knows neither HTTP nor AWS."""
