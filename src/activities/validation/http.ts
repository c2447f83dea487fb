/** A page asked as a client of the system would ask it. */
import type { DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { judgePage, type Held } from '../../policy/check-values.ts';
import type { HttpProbe } from '../../system/types.ts';

const ANSWER_LIMIT_MS = 10_000;
const BODY_LIMIT_BYTES = 1024 * 1024;

/** One try. What keeps the page from answering is a verdict; throws the signal's reason only. */
export async function askPage(
  probe: HttpProbe,
  url: string,
  signal: AbortSignal,
  limitMs = ANSWER_LIMIT_MS,
): Promise<Held> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { 'user-agent': 'holdfast', accept: 'application/json, */*' },
      signal: AbortSignal.any([signal, limit]),
    });
    return judgePage(probe, { status: response.status, body: await bodyOf(response) });
  } catch (error) {
    signal.throwIfAborted();
    return { ok: false, detail: limit.aborted ? `no answer in ${limitMs / 1000} s` : whyOf(error) };
  }
}

/** Where what listens on the url's port in this container answers now: published, or by the container's own address. */
export async function urlInContainer(docker: DockerHost, id: string, url: string): Promise<string> {
  const { protocol, port, pathname, search } = new URL(url);
  const inside = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  const info = await docker.describe(id);
  if (info === undefined) throw new HoldfastError('ContainerMissing', `the container ${id} is gone`);
  const published = (info.NetworkSettings.Ports as Record<string, { HostIp: string; HostPort: string }[] | null>)[
    `${inside}/tcp`
  ]?.[0];
  if (published !== undefined) {
    const everywhere = published.HostIp === '' || published.HostIp === '0.0.0.0' || published.HostIp === '::';
    return `${protocol}//${hostText(everywhere ? '127.0.0.1' : published.HostIp)}:${published.HostPort}${pathname}${search}`;
  }
  const own = Object.values(info.NetworkSettings.Networks).find(({ IPAddress }) => IPAddress !== '')?.IPAddress;
  const address = own ?? (info.HostConfig.NetworkMode === 'host' ? '127.0.0.1' : undefined);
  if (address !== undefined) return `${protocol}//${hostText(address)}:${inside}${pathname}${search}`;
  throw new HoldfastError(
    'ContainerMissing',
    `port ${inside} of ${info.Name.slice(1)} can not be reached from the host`,
  );
}

function hostText(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

async function bodyOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece as Uint8Array);
    length += (piece as Uint8Array).length;
    // What follows is not looked at; leaving the loop closes the connection.
    if (length > BODY_LIMIT_BYTES) break;
  }
  return Buffer.concat(pieces).toString('utf8');
}

function whyOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string') return `could not be reached (${code})`;
  }
  return 'could not be reached';
}

/** The address in the isolated copy: another origin, the same path. Undefined when nothing stands for its origin. */
export function movedUrl(url: string, origins: Readonly<Record<string, string>>): string | undefined {
  const { origin, pathname, search } = new URL(url);
  const found = Object.entries(origins).find(([from]) => new URL(from).origin === origin);
  if (found === undefined) return undefined;
  // Set one by one: resolved against the origin, a path that begins with two slashes would name another host.
  const moved = new URL(found[1]);
  moved.pathname = pathname;
  moved.search = search;
  return moved.href;
}
