/** What a planned change of sites asks of both: of the one that stops, and of the one that asks it to. */
import type { HandoverOutcome, HandoverSeen } from '../policy/failover/handover.ts';
import type { Fencing } from '../policy/failover/decide.ts';

/** Which request: the generation that is to be raised, and the attempt. */
export interface HandoverOf {
  readonly system: string;
  readonly n: number;
  readonly attempt: number;
}

/** Made while nothing of the stack ran. */
export interface LastBackupMade {
  readonly plan: string;
  readonly backup: string;
  readonly pointAt: string;
}

export interface HandoverAnswered {
  readonly outcome: HandoverOutcome;
  readonly why?: string;
  readonly backups?: readonly LastBackupMade[];
  /** How long the stack was down when it was answered. */
  readonly downSeconds?: number;
  readonly waitsSeconds?: number;
}

/** One reading of the authority store. */
export interface HandoverTold extends HandoverSeen {
  readonly request?: HandoverSeen['request'] & {
    readonly fromSite: string;
    readonly by?: string;
    readonly digest?: string;
    readonly backAfterSeconds?: number;
    /** Whoever asked has given up long ago. */
    readonly stale: boolean;
  };
  readonly answer?: HandoverAnswered;
}

/** Of the site that stops. */
export interface HandoverSetup {
  readonly site: string;
  readonly hosts: readonly string[];
  readonly fencing: Fencing;
  /** As few as capture everything that any plan captures. */
  readonly plans: readonly string[];
  /** So long it waits for the other site to take over. */
  readonly raiseSeconds: number;
}

/** Which of its own words a site waits to be over. */
export type HandoverWait = 'unanswered' | 'stopped';

/** Run on the urgent queue. */
export interface HandoverActivities {
  lookHandover(input: { readonly system: string; readonly n: number }): Promise<HandoverTold>;
  /** Returns as soon as the state is another than this one, or as it is when the time is over. */
  awaitHandover(
    input: HandoverOf & { readonly whileIt: HandoverWait; readonly forSeconds: number },
  ): Promise<HandoverTold>;
  /** Of this site, or of the one that asked, for a withdrawal. What stands there first counts, and is returned. */
  answerHandover(input: HandoverOf & HandoverAnswered): Promise<HandoverAnswered>;
  /**
   * At the active site: remembers what runs, keeps the guard of this host from starting anything, and stops the stack.
   * `databases`: the servers whose dumps are still to be made stay up. A repeat stops what is left.
   */
  stopForHandover(input: HandoverOf & { readonly databases: 'stay' | 'stop' }): Promise<void>;
  /** What of the stack runs on this host, by name. */
  runningHere(input: { readonly system: string }): Promise<readonly string[]>;
  /** Raises the generation for the site that has stopped, and clears it; nothing where somebody else has it. */
  raiseOwn(input: HandoverOf & { readonly site: string; readonly raiseId: string; readonly why: string }): Promise<{
    /** In force now. */
    readonly n: number;
    readonly site: string;
  }>;
  /** Starts here what was stopped for a handover: this site may run again. Throws SiteFenced where it may not. */
  startAfterHandover(input: { readonly system: string }): Promise<void>;
  /** Another site has the generation: nothing is held here any more, and nothing starts. */
  endHandover(input: { readonly system: string }): Promise<void>;
  /** At the site that asks. `busy`: another request is under way, with words. */
  askHandover(input: {
    readonly system: string;
    readonly n: number;
    readonly requestId: string;
    readonly withinSeconds: number;
    readonly by?: string;
    readonly digest?: string;
    readonly backAfterSeconds?: number;
  }): Promise<{ readonly attempt: number } | { readonly busy: string }>;
  /**
   * At the site that has asked and wants no more: withdraws, or raises the generation for the site that has stopped already.
   * Returns which site is in force. A repeat changes nothing.
   */
  letBack(input: HandoverOf & { readonly requestId: string; readonly raiseId: string; readonly why: string }): Promise<{
    readonly n: number;
    readonly site: string;
    readonly outcome: HandoverOutcome | 'never asked';
  }>;
}

/** Run where the workflow runs. */
export interface HandoverFactsActivities {
  /** Throws BadInput where the system runs at one site alone. */
  describeHandover(input: { system: string }): Promise<HandoverSetup>;
}
