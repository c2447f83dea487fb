/** Durations as people write them: `15m`, `48h`, `30d`, `1h30m`, or ISO 8601 such as `PT15M`, `P30D`. */

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** For schemas and editors. Months and years are left out: their length depends on the calendar. */
export const DURATION_PATTERN =
  /^(?:(?:\d+[wdhms])+|P(?=\d|T\d)(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)$/;

/** Whole seconds, or undefined when the text is no duration. */
export function parseDurationSeconds(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([wdhmsWDHMS])/g)) {
    seconds += Number(amount) * (SECONDS[(unit ?? '').toLowerCase()] ?? Number.NaN);
  }
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}

/** The same for text that a schema has checked already. */
export function durationSeconds(text: string): number {
  const seconds = parseDurationSeconds(text);
  if (seconds === undefined) throw new RangeError(`"${text}" is not a duration`);
  return seconds;
}
