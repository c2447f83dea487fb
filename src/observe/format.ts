/** Numbers and sentences as people read them. Pure; units are always written. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `0 B`, `1.5 KiB`, `12 MiB`: two or three digits that count. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${BYTE_UNITS[unit] ?? 'B'}`;
}

/** `0 ms`, `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatMilliseconds(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  return formatSeconds(Math.round(ms / 1000));
}

/** Whole seconds in the two largest units. */
export function formatSeconds(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const units: readonly (readonly [number, string])[] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const first = units.findIndex(([size]) => total >= size);
  if (first < 0) return '0 s';
  const [size, name] = units[first] ?? [1, 's'];
  const rest = total % size;
  const [nextSize, nextName] = units[first + 1] ?? [1, ''];
  const next = nextName === '' ? 0 : Math.floor(rest / nextSize);
  return `${Math.floor(total / size)} ${name}${next > 0 ? ` ${next} ${nextName}` : ''}`;
}

/** `just now`, `5 min ago`, `2 d 3 h ago`, `in 4 min`. */
export function formatAge(sinceMs: number, nowMs: number): string {
  const seconds = (nowMs - sinceMs) / 1000;
  if (Math.abs(seconds) < 1) return 'just now';
  return seconds > 0 ? `${formatSeconds(seconds)} ago` : `in ${formatSeconds(-seconds)}`;
}

/** `1 chunk`, `1,204 chunks`, of a whole number. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  // Not toLocaleString: loading the locales takes longer than the rest of a command's output.
  const digits = String(count).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${digits} ${count === 1 ? one : many}`;
}

/** With a first letter that begins a sentence. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
