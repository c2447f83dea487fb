/** What a failover asks of DNS. Names and addresses go into its history, never a secret. */
import type { AnswerSeen } from '../../policy/failover/dns-answers.ts';
import type { DnsPlan } from '../../policy/failover/dns-plan.ts';
import type { Stands } from '../../policy/failover/dns-standing.ts';

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

export interface DnsStands {
  readonly entries: readonly (Stands & { readonly index: number })[];
}

export interface DnsActivities {
  /**
   * What would be changed for the names to lead to a site, with what stands there now. Changes nothing. `fromSite` is what
   * commands are told. A system without names gives a plan without entries; entries that can't be read are named in
   * `unplanned`. Throws DnsUnfit where a zone is not as declared, and what reading throws where nothing could be planned.
   */
  planDns(input: { system: string; toSite: string; fromSite?: string }): Promise<DnsPlan>;
  /**
   * Makes the changes of a plan, entry by entry, each only where it still stands as it was planned: DnsChanged. A repeat
   * finds what is done. When it fails, `standDns` says how far it came.
   */
  swapDns(input: { system: string; toSite: string; planned: DnsPlan }): Promise<DnsSwapped>;
  /** Waits until the changes are on all authoritative servers. Throws DnsPending, DnsChanged, DnsNotAnswered. */
  awaitDns(input: { system: string; planned: DnsPlan; swapped: DnsSwapped }): Promise<DnsSettled>;
  /**
   * Puts back what stood there when the plan was made, where it still stands as the plan made it, and waits for it. What was
   * never changed is left, and so is what somebody has changed since or nobody can look at: DnsChanged.
   */
  revertDns(input: { system: string; previous: DnsPlan }): Promise<DnsSettled>;
  /**
   * Asks authoritative servers and resolvers for as long as declared. Throws DnsNotAnswered when most authoritative ones do not
   * come to say it; a resolver may say otherwise until its memory ends.
   */
  checkAnswers(input: { system: string; planned: DnsPlan }): Promise<DnsAnswered>;
  /** How each entry stands, by all that can be asked now. Changes nothing, and never throws for what can't be reached. */
  standDns(input: { system: string; planned: DnsPlan }): Promise<DnsStands>;
}
