/** What the page's process is told on its command line, as rules. Secrets are named, never given. */
import { BlockList, isIP } from 'node:net';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from '../system/types.ts';
import { isLoopback } from '../observe/known-host.ts';
import type { AccessRules } from './access.ts';

export const PAGE_OPTIONS = {
  port: { type: 'string' },
  address: { type: 'string', default: '127.0.0.1' },
  'token-file': { type: 'string' },
  'token-env': { type: 'string' },
  host: { type: 'string', multiple: true },
  'proxy-header': { type: 'string' },
  'proxy-from': { type: 'string', multiple: true },
  'ui-url': { type: 'string' },
} as const;

export interface PageValues {
  readonly address: string;
  readonly 'token-file'?: string | undefined;
  readonly 'token-env'?: string | undefined;
  readonly host?: readonly string[] | undefined;
  readonly 'proxy-header'?: string | undefined;
  readonly 'proxy-from'?: readonly string[] | undefined;
}

const SHORTEST_TOKEN = 16;

/**
 * Throws BadInput for what makes no sense, for a token that can be guessed, and for an address that others can reach
 * where nobody would be asked; SecretMissing when the token can't be read.
 */
export async function accessRules(
  values: PageValues,
  secret: (ref: SecretRef) => Promise<string>,
): Promise<AccessRules> {
  const { address, host = [] } = values;
  if (isIP(address) === 0 && address !== 'localhost') throw bad(`--page-address ${address} is no address in figures`);
  const ref = tokenRef(values);
  const token = ref === undefined ? undefined : await secret(ref);
  if (token !== undefined && token.length < SHORTEST_TOKEN) {
    throw bad(`the page's token has ${token.length} characters: ${SHORTEST_TOKEN} are the least`);
  }
  const proxy = proxyRules(values);
  if (!isLoopback(address) && token === undefined && proxy === undefined) {
    throw bad(`--page-address ${address} can be reached from elsewhere, and nobody would be asked who they are`);
  }
  return { hosts: host, ...(token === undefined ? {} : { token }), ...(proxy === undefined ? {} : { proxy }) };
}

function tokenRef({ 'token-file': file, 'token-env': env }: PageValues): SecretRef | undefined {
  if (file !== undefined && env !== undefined) throw bad('--page-token-file and --page-token-env are one too many');
  return file !== undefined ? { file } : env !== undefined ? { env } : undefined;
}

function proxyRules({ 'proxy-header': header, 'proxy-from': from = [] }: PageValues): AccessRules['proxy'] {
  if (header === undefined && from.length === 0) return undefined;
  if (header === undefined || from.length === 0) {
    throw bad('--page-proxy-header and --page-proxy-from belong together: who says it, and who may say it');
  }
  if (!/^[\w-]+$/.test(header)) throw bad(`--page-proxy-header ${header} is no name of a header`);
  const trusted = new BlockList();
  for (const one of from) {
    const [address = '', bits] = one.split('/');
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    const length = bits === undefined ? most : Number(bits);
    if (family === 0 || !Number.isInteger(length) || length < 0 || length > most) {
      throw bad(`--page-proxy-from ${one} is neither an address nor a network such as 10.0.0.0/8`);
    }
    trusted.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  }
  return { header, trusted };
}

function bad(message: string): HoldfastError {
  return new HoldfastError('BadInput', message, { hint: 'docs/page.md shows the ways to serve the page.' });
}
