/** Mantine dressed in the colours of web.md §6: its components read our tokens, so that light and dark are one table. */
import {
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from "@mantine/core";

const brand: MantineColorsTuple = [
  "#f2eefa",
  "#e2daf3",
  "#cbbaf2",
  "#b9a3ea",
  "#9d82d6",
  "#8467bd",
  "#6e51a8",
  "#5b3e96",
  "#4a3180",
  "#392466",
];

const TONES: Record<string, { strong: string; hover: string; tint: string; on: string }> = {
  brand: {
    strong: "var(--rp-brand)",
    hover: "var(--rp-brand-strong)",
    tint: "var(--rp-brand-tint)",
    on: "var(--rp-on-brand)",
  },
  danger: {
    strong: "var(--rp-refused)",
    hover: "var(--rp-refused)",
    tint: "var(--rp-refused-tint)",
    on: "var(--rp-on-brand)",
  },
};

const variantColorResolver: VariantColorsResolver = ({ color, variant }) => {
  const tone = TONES[color ?? "brand"] ?? TONES.brand;
  if (!tone) throw new Error("the brand tone is missing");
  if (variant === "filled") {
    return { background: tone.strong, hover: tone.hover, color: tone.on, border: "1px solid transparent" };
  }
  if (variant === "default" || variant === "outline") {
    return {
      background: "var(--rp-page)",
      hover: tone.tint,
      color: tone.strong,
      border: "1px solid var(--rp-control)",
    };
  }
  return {
    background: variant === "light" ? tone.tint : "transparent",
    hover: tone.tint,
    color: tone.strong,
    border: "1px solid transparent",
  };
};

export const cssVariablesResolver: CSSVariablesResolver = () => {
  const both = {
    "--mantine-color-text": "var(--rp-text)",
    "--mantine-color-body": "var(--rp-page)",
    "--mantine-color-dimmed": "var(--rp-muted)",
    "--mantine-color-placeholder": "var(--rp-muted)",
    "--mantine-color-default": "var(--rp-page)",
    "--mantine-color-default-hover": "var(--rp-brand-tint)",
    "--mantine-color-default-color": "var(--rp-text)",
    "--mantine-color-default-border": "var(--rp-control)",
    "--mantine-color-error": "var(--rp-refused)",
    "--mantine-color-anchor": "var(--rp-brand)",
    "--mantine-primary-color-filled": "var(--rp-brand)",
    "--mantine-primary-color-filled-hover": "var(--rp-brand-strong)",
    "--mantine-primary-color-contrast": "var(--rp-on-brand)",
    "--mantine-color-brand-filled": "var(--rp-brand)",
    "--mantine-color-disabled": "var(--rp-closed-tint)",
    "--mantine-color-disabled-color": "var(--rp-closed)",
    "--mantine-color-disabled-border": "var(--rp-line)",
  };
  return { variables: {}, light: both, dark: both };
};

const target = { root: { minHeight: "var(--rp-target)" } };

export const theme = createTheme({
  primaryColor: "brand",
  colors: { brand },
  variantColorResolver,
  cursorType: "pointer",
  respectReducedMotion: true,
  defaultRadius: "sm",
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace',
  fontSizes: { xs: "0.875rem", sm: "0.875rem", md: "1rem", lg: "1.25rem", xl: "1.5625rem" },
  components: {
    Button: { defaultProps: { size: "sm" }, styles: { ...target, label: { whiteSpace: "normal" } } },
    TextInput: { defaultProps: { inputWrapperOrder: ["label", "input", "description", "error"] } },
    // A dialog's header is no second banner of the page.
    ModalHeader: { defaultProps: { role: "presentation" } },
    Modal: { defaultProps: { centered: true, size: "lg", overlayProps: { backgroundOpacity: 0.5 } } },
  },
});
