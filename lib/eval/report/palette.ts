/** Colours of the charts. A chart is drawn once, in the light colours; on the page each of them follows the colour scheme. */
export const palette = {
  ink: { light: "#1d2733", dark: "#e6e9ed" },
  muted: { light: "#5c6875", dark: "#9aa5b1" },
  grid: { light: "#dde2e8", dark: "#333c47" },
  first: { light: "#1f6fb4", dark: "#6db3ec" },
  second: { light: "#c2570c", dark: "#f2984f" },
  third: { light: "#2f7d4f", dark: "#6cc592" },
} as const;

export type PaletteName = keyof typeof palette;

export const light = Object.fromEntries(
  Object.entries(palette).map(([name, colours]) => [name, colours.light]),
) as Record<PaletteName, string>;

/** Style sheet variables for both schemes. */
export function paletteStyles(): string {
  const variables = (scheme: "light" | "dark") =>
    Object.entries(palette)
      .map(([name, colours]) => `--${name}: ${colours[scheme]};`)
      .join(" ");
  return `:root { ${variables("light")} } @media (prefers-color-scheme: dark) { :root { ${variables("dark")} } }`;
}

/** An SVG of the charts, made to follow the page's scheme and width. */
export function inlined(svg: string): string {
  const coloured = Object.entries(palette).reduce(
    (text, [name, { light: colour }]) => text.replaceAll(`"${colour}"`, `"var(--${name})"`),
    svg,
  );
  return coloured.replace(/<svg ([^>]*?)width="(\d+)" height="\d+"/, '<svg $1style="max-width:$2px"');
}
