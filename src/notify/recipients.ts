/** Who of the recipients of one mail has it, who is to be asked again, and who refuses it for good. Pure. */
import { HoldfastError } from '../failures.ts';
import type { Delivered } from './deliver.ts';

export interface RecipientAnswer {
  readonly address: string;
  /** Absent: the server has taken it for this recipient. */
  readonly code?: number;
}

/** What the mail library says of those whom a server did not take. */
export interface RejectedFacts {
  readonly rejectedErrors?:
    readonly { readonly recipient?: string | undefined; readonly responseCode?: number | undefined }[] | undefined;
}

/** The address in `Lead <lead@example.net>`. */
export function addressIn(recipient: string): string {
  return (/<([^<>]+)>\s*$/.exec(recipient)?.[1] ?? recipient).trim();
}

/** One answer for each. A refusal without a code asks for nothing, so that it counts as final. */
export function answersIn(to: readonly string[], { rejectedErrors = [] }: RejectedFacts): RecipientAnswer[] {
  return to.map((address) => {
    const found = rejectedErrors.find(({ recipient }) => recipient === address);
    return found === undefined ? { address } : { address, code: found.responseCode ?? 500 };
  });
}

const TAKEN = 'taken';

export class Recipients {
  private readonly all: readonly string[];
  /** By address: taken, or the code of a final refusal. */
  private readonly settled = new Map<string, string>();
  private later: readonly RecipientAnswer[] = [];

  /** `kept` is what `kept()` gave after an earlier attempt; who has left the system file since does not count. */
  constructor(addresses: readonly string[], kept: readonly string[]) {
    this.all = [...new Set(addresses)];
    for (const line of kept) {
      const [what = '', address = ''] = line.split(' ', 2);
      if (this.all.includes(address)) this.settled.set(address, what);
    }
  }

  /** Who has given no last answer yet. */
  get open(): string[] {
    return this.all.filter((address) => !this.settled.has(address));
  }

  /** A server's 4yz asks to come again (RFC 5321, 4.2.1). */
  answered(answers: readonly RecipientAnswer[]): void {
    this.later = answers.filter(({ code }) => code !== undefined && code < 500);
    for (const { address, code } of answers) {
      if (code === undefined || code >= 500) this.settled.set(address, code === undefined ? TAKEN : String(code));
    }
  }

  kept(): string[] {
    return [...this.settled].map(([address, what]) => `${what} ${address}`);
  }

  /** Throws ChannelUnreachable while somebody is to be asked again, ChannelRefused when nobody has it and nobody will. */
  outcome(channel: string): Delivered {
    const refused = [...this.settled]
      .filter(([, what]) => what !== TAKEN)
      .map(([address, code]) => `${address} (${code})`);
    const later = this.later.map(({ address, code }) => `${address} (${code ?? '?'})`);
    const some = this.settled.size > refused.length;
    const of = (count: number): string => `${count} of ${this.all.length} recipients`;
    if (later.length > 0) {
      const known = refused.length === 0 ? '' : `; refused: ${refused.join(', ')}`;
      const message = `${channel}: the server asks to come again for ${of(later.length)}: ${later.join(', ')}${known}`;
      throw new HoldfastError('ChannelUnreachable', message, { details: { partly: some } });
    }
    if (refused.length === 0) return {};
    const message = `the server refuses ${of(refused.length)}: ${refused.join(', ')}`;
    if (!some) throw new HoldfastError('ChannelRefused', `${channel}: ${message}`);
    return { refused: message };
  }
}
