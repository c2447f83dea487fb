/** Where a process shows its metrics: an address that was asked for, by default a free port on loopback. Pure. */
import { HoldfastError } from '../failures.ts';

export interface MetricsAddress {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

const LOOPBACK = '127.0.0.1';

/**
 * `off`, `9464`, `0.0.0.0:9464` or `[::1]:9464`; empty: a free port on loopback. Undefined for `off`. Throws BadInput.
 */
export function parseMetricsAddress(text: string | undefined): MetricsAddress | undefined {
  if (text === undefined || text === '') return { host: LOOPBACK, port: 0 };
  if (text === 'off') return undefined;
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new HoldfastError('BadInput', `${text} is no address for metrics`, {
      hint: 'Give a port, an address with a port such as 0.0.0.0:9464, or off.',
    });
  }
  return { host: match[1] ?? match[2] ?? LOOPBACK, port };
}

/** As it is written in a URL or a list of targets. */
export function addressText({ host, port }: MetricsAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
