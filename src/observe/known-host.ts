/** By which name this machine was asked over HTTP. Pure. */
import { isIP } from 'node:net';

export interface AskedHost {
  /** The header Host. */
  readonly host: string | undefined;
  /** The address of this machine that was connected to. */
  readonly localAddress: string | undefined;
}

/**
 * A page of somebody else's that a browser shows can be given the address of this machine under its own name (DNS
 * rebinding): it then reads what it likes, unless the name is looked at. An address in figures can't be taken over.
 */
export function isHostKnown(names: readonly string[], asked: AskedHost): boolean {
  const name = hostName(asked.host);
  if (name === undefined) return false;
  if (name === 'localhost' || names.some((host) => host.toLowerCase() === name)) return true;
  return isIP(name) !== 0 && (isLoopback(name) || plainAddress(asked.localAddress) === name);
}

/** Without its port and its brackets, in small letters; undefined when there is none. */
function hostName(host: string | undefined): string | undefined {
  const found = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+?)\.?)(?::\d{1,5})?$/i.exec(host ?? '');
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** An IPv4 address that came through an IPv6 socket, as IPv4. */
export function plainAddress(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase();
}
