/** The cookie of somebody who has shown the token: its end, and a code that only who knows the token can make. */
import { createHmac } from 'node:crypto';
import { isSame } from './access.ts';

export const COOKIE = 'holdfast_page';
const LASTS_SECONDS = 12 * 3600;

/** Its value outlives this process, and not a change of the token. */
export function sessionValue(token: string, nowMs: number): string {
  const until = Math.floor(nowMs / 1000) + LASTS_SECONDS;
  return `${until}.${codeOf(token, until)}`;
}

export function isSession(token: string, value: string | undefined, nowMs: number): boolean {
  const [, until, code] = /^(\d{1,12})\.([\w-]+)$/.exec(value ?? '') ?? [];
  if (until === undefined || code === undefined || Number(until) * 1000 < nowMs) return false;
  return isSame(code, codeOf(token, Number(until)));
}

/** `secure` where the browser speaks TLS, to a proxy before this page. An empty value takes the cookie away. */
export function setCookie(value: string, secure: boolean): string {
  const age = value === '' ? 0 : LASTS_SECONDS;
  const more = secure ? '; Secure' : '';
  return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}${more}`;
}

export function cookieValue(header: string | undefined): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}

function codeOf(token: string, until: number): string {
  return createHmac('sha256', token).update(`holdfast page until ${until}`).digest('base64url');
}
