/** Axes with round numbers. Pure. */

const BINARY = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const TIMES_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600].map((seconds) => seconds * 1000),
  [2, 3, 6, 12, 24, 48, 96, 192].map((hours) => hours * 3_600_000),
);

/** The smallest round number of bytes that is at least `value`. */
export function roundBytes(value: number): number {
  let unit = 1;
  while (unit * 1024 <= value) unit *= 1024;
  return (BINARY.find((step) => step * unit >= value) ?? 1024) * unit;
}

export function roundMs(value: number): number {
  return TIMES_MS.find((step) => step >= value) ?? value;
}
