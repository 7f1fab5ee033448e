"""Pictures of a report as Vega-Lite: the same specifications in the page, in PNG and in SVG."""
