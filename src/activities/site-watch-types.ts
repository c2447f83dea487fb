/** What a site learns of the other sites of a system by looking at the authority store, and of the sites themselves. */

/** Each is acted on by src/workflows/site-watch.ts. `mark`: the same news has the same, so that it is acted on once. */
export type SiteNews = AskedNews | SilentNews;

/** This site is active, and another asks it to stop. */
export interface AskedNews {
  readonly kind: 'asked';
  readonly mark: string;
  /** The generation that is to be raised, and the attempt. */
  readonly n: number;
  readonly attempt: number;
  readonly site: string;
}

/** Another site is active and does not answer, and the system file lets this one take over by itself. */
export interface SilentNews {
  readonly kind: 'silent';
  readonly mark: string;
  /** The generation of the site that is silent. */
  readonly n: number;
  readonly site: string;
}

export interface SiteWatchFacts {
  readonly site: string;
  /** Which looks. */
  readonly host: string;
}

/** Run on the queue of what runs for ever: it holds no slot of anything else. */
export interface SiteWatchActivities {
  /**
   * Looks every few seconds, and returns as soon as there is something to do that is not among `known`, or with nothing when
   * `forSeconds` are over. An authority store that does not answer is no news.
   */
  watchSites(input: {
    readonly system: string;
    readonly forSeconds: number;
    readonly known: readonly string[];
  }): Promise<{ readonly news: readonly SiteNews[] }>;
}

/** Run where the workflow runs. */
export interface SiteWatchFactsActivities {
  /** Undefined where the system runs at one site alone. */
  describeSiteWatch(input: { system: string }): Promise<SiteWatchFacts | undefined>;
}
