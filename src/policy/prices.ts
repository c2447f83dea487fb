/** What storage and thawing cost by a table of prices that the operator keeps. Estimates: no provider's bill is modelled. */
import type { StoreAddress } from '../system/types.ts';

const GIB = 1024 ** 3;

export type Speed = 'bulk' | 'standard' | 'expedited';

/** Prices of one kind of storage; what is left out of `store`, `class` and `region` fits all. In the table's currency. */
export interface PriceRow {
  readonly kind: StoreAddress['kind'];
  /** The name of a store in the system file. */
  readonly store?: string;
  /** Storage class or access tier, as the store names it; absent: also for stores without classes. */
  readonly class?: string;
  readonly region?: string;
  /** Of a GiB for a month. */
  readonly gibMonth: number;
  /** Of reading a GiB: retrieval and transfer. */
  readonly readGib?: number;
  /** Of thawing, by speed. */
  readonly thaw?: { readonly [S in Speed]?: { readonly gib: number; readonly thousandRequests: number } };
}

export interface PriceTable {
  readonly currency: string;
  readonly rows: readonly PriceRow[];
}

/** What a price is looked up by. */
export interface Priced {
  readonly kind: StoreAddress['kind'];
  readonly store: string;
  readonly class?: string | undefined;
  readonly region?: string | undefined;
}

/** The row that says most about it; of rows that say as much, the first. Undefined when none fits. */
export function priceOf(table: PriceTable, of: Priced): PriceRow | undefined {
  const fits = table.rows.filter(
    (row) =>
      row.kind === of.kind &&
      (row.store === undefined || row.store === of.store) &&
      (row.class === undefined || row.class === of.class) &&
      (row.region === undefined || row.region === of.region),
  );
  const [best] = fits.toSorted((a, b) => said(b) - said(a));
  return best;
}

function said({ store, class: named, region }: PriceRow): number {
  return (store === undefined ? 0 : 4) + (named === undefined ? 0 : 2) + (region === undefined ? 0 : 1);
}

/** For a month, of so many bytes. */
export function monthlyCost(row: PriceRow, bytes: number): number {
  return (bytes / GIB) * row.gibMonth;
}

/** Undefined when the table does not say it. */
export function thawCost(row: PriceRow, speed: Speed, amount: { bytes: number; objects: number }): number | undefined {
  const price = row.thaw?.[speed];
  if (price === undefined) return undefined;
  return (amount.bytes / GIB) * price.gib + (amount.objects / 1000) * price.thousandRequests;
}

/** `12.34 USD`; what is less than a cent is said so. */
export function formatMoney(amount: number, currency: string): string {
  if (amount > 0 && amount < 0.01) return `less than 0.01 ${currency}`;
  return `${amount.toFixed(2)} ${currency}`;
}
