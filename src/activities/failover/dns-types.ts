/** What a failover asks of DNS. Names and addresses go into its history, never a secret. */
import type { AnswerSeen } from '../../policy/failover/dns-answers.ts';
import type { DnsPlan } from '../../policy/failover/dns-plan.ts';

export type { DnsPlan } from '../../policy/failover/dns-plan.ts';

export interface DnsSwapped {
  readonly entries: readonly {
    readonly index: number;
    /** Of Route 53; absent where there is nothing to wait for. */
    readonly changeId?: string;
  }[];
}

export interface DnsSettled {
  /** When the last change was on all authoritative servers, by this host's clock. */
  readonly inSyncAt: string;
  /** From then on no resolver that keeps to the TTL gives the old answer. */
  readonly oldAnswerUntil: string;
  /** Changes that were accepted, lost and sent again. */
  readonly resubmitted: number;
}

export interface DnsAnswered {
  readonly answers: readonly (AnswerSeen & {
    readonly role: 'authoritative' | 'resolver';
    /** As it is named; of a command its title. */
    readonly server: string;
  })[];
  /** For people: who was asked and what was answered. */
  readonly lines: readonly string[];
}

export interface DnsActivities {
  /**
   * What would be changed for the names to lead to a site, with what stands there now. Changes nothing. `fromSite` is what
   * commands are told. A system without names gives a plan without entries. Throws DnsUnfit where a zone is not as
   * declared, and what reading it throws.
   */
  planDns(input: { system: string; toSite: string; fromSite?: string }): Promise<DnsPlan>;
  /**
   * Makes the changes of a plan, entry by entry, each only where it still stands as it was planned: DnsChanged. A repeat
   * finds what is done. When it fails half-way, `revertDns` takes back what was made.
   */
  swapDns(input: { system: string; toSite: string; planned: DnsPlan }): Promise<DnsSwapped>;
  /** Waits until the changes are on all authoritative servers. Throws DnsPending, DnsChanged, DnsNotAnswered. */
  awaitDns(input: { system: string; planned: DnsPlan; swapped: DnsSwapped }): Promise<DnsSettled>;
  /** Puts back what stood there when the plan was made, and waits for it. What was never changed is left. Throws DnsChanged. */
  revertDns(input: { system: string; previous: DnsPlan }): Promise<DnsSettled>;
  /**
   * Asks authoritative servers and resolvers for as long as declared. Throws DnsNotAnswered when an authoritative one says
   * otherwise; a resolver may, until its memory ends.
   */
  checkAnswers(input: { system: string; planned: DnsPlan }): Promise<DnsAnswered>;
}
