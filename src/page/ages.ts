/** Times as the page tells them. Pure. */
import { formatSeconds } from '../observe/format.ts';

/** In the two largest units, and no finer than a minute, so that a page that lies open does not flicker. */
export function ageText(sinceMs: number, nowMs: number): string {
  const seconds = (nowMs - sinceMs) / 1000;
  if (Math.abs(seconds) < 60) return seconds < 0 ? 'in a moment' : 'less than a minute ago';
  const text = coarse(Math.abs(seconds));
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/** A time, as ages are told. */
export function coarse(seconds: number): string {
  return seconds < 60 ? 'less than a minute' : formatSeconds(Math.floor(seconds / 60) * 60);
}

/** `2026-11-21 14:05 UTC` */
export function momentText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
