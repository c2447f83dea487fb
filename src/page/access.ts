/** Who may look at the page, decided from a request's facts alone. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP, type BlockList } from 'node:net';
import { isHostKnown, plainAddress } from '../observe/known-host.ts';

export interface AccessRules {
  /** Names under which the page may be asked for, beside loopback and the address that was connected to. */
  readonly hosts: readonly string[];
  /** Asked of everybody where it is set. */
  readonly token?: string;
  /** Somebody else has asked who it is, and says so in this header. */
  readonly proxy?: { readonly header: string; readonly trusted: BlockList };
}

export interface RequestFacts {
  /** The header Host. */
  readonly host: string | undefined;
  /** The address of this machine that was connected to, and the one that connected. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly authorization: string | undefined;
  /** Whether a session cookie was sent that holds. */
  readonly session: boolean;
  /** Who it is, by the header that the rules name. */
  readonly user: string | undefined;
}

export type Access =
  | { readonly may: 'look'; readonly as?: string }
  | { readonly may: 'log in' }
  | { readonly may: 'nothing'; readonly status: 403 | 421; readonly why: string };

export function isTrusted(trusted: BlockList, address: string | undefined): boolean {
  const plain = plainAddress(address);
  const family = isIP(plain);
  return family !== 0 && trusted.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

export function judgeAccess(rules: AccessRules, facts: RequestFacts): Access {
  if (!isHostKnown(rules.hosts, facts)) {
    return { may: 'nothing', status: 421, why: 'This page does not answer to that name.' };
  }
  const { token, proxy } = rules;
  if (proxy !== undefined && isTrusted(proxy.trusted, facts.remoteAddress) && (facts.user ?? '') !== '') {
    return { may: 'look', ...(facts.user === undefined ? {} : { as: facts.user }) };
  }
  if (token !== undefined) {
    const given = /^Bearer +(\S+)$/i.exec(facts.authorization ?? '')?.[1];
    return facts.session || (given !== undefined && isSame(given, token)) ? { may: 'look' } : { may: 'log in' };
  }
  if (proxy !== undefined) return { may: 'nothing', status: 403, why: 'Come through the proxy that asks who you are.' };
  return { may: 'look' };
}

/** Takes the same time wherever two texts differ, and however long they are. */
export function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
