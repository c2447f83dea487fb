/** How the examples write times. */

/** Of a number of seconds, not rounded so far that a person would be misled. */
export function seconds(value: number): string {
  if (value < 120) return `${value.toFixed(1).replace(/\.0$/, '')} s`;
  return value < 7200 ? `${Math.round(value / 60)} min` : `${Math.round(value / 3600)} h`;
}
