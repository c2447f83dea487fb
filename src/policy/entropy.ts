/**
 * Whether bytes look like noise, and what it means that files have come to look so. Encrypted data is noise; so is
 * compressed data, which is why a file counts only when it was readable, or had a known form, in an earlier backup. Pure.
 */

/** Below this, noise and text can't be told apart. */
export const LEAST_SAMPLE_BYTES = 512;

/** Bits a byte, 0 to 8, of what the histogram counts. */
export function entropyOf(histogram: ArrayLike<number>, bytes: number): number {
  let sum = 0;
  for (let value = 0; value < 256; value += 1) {
    const share = (histogram[value] ?? 0) / bytes;
    if (share > 0) sum -= share * Math.log2(share);
  }
  return sum;
}

/** How far below its mean a sample of noise may lie: chi-square of 255 degrees of freedom, six deviations. */
const SCATTER = 6 * Math.sqrt(2 * 255);

/** A sample of noise is short of 8 bits by about 255 / (2 n ln 2) (Miller and Madow). */
export function looksLikeNoise(entropy: number, bytes: number): boolean {
  return bytes >= LEAST_SAMPLE_BYTES && entropy >= 7.98 - (255 + SCATTER) / (2 * bytes * Math.LN2);
}

/** Readable, compressed in a known form, noise without any known form, or too small to tell. */
export type FileClass = 'readable' | 'compressed' | 'noise' | 'small';

/** Beginnings of files that are dense by nature: archives, pictures, sound, video, documents, age and PGP. */
const DENSE_BEGINNINGS: readonly string[] = [
  '504b0304', // zip, office documents, jar
  '504b0506',
  '1f8b', // gzip
  '28b52ffd', // zstd
  'fd377a585a00', // xz
  '425a68', // bzip2
  '377abcaf271c', // 7z
  '526172211a07', // rar
  '04224d18', // lz4
  '89504e470d0a1a0a', // png
  'ffd8ff', // jpeg
  '474946383', // gif
  '52494646', // webp, wav, avi
  '4f676753', // ogg
  '664c6143', // flac
  '494433', // mp3
  'fffb',
  'fff3',
  '1a45dfa3', // matroska, webm
  '25504446', // pdf
  '774f4632', // woff2
  '774f4646', // woff
  '6167652d656e6372797074696f6e2e6f72672f', // age
];

/** By the first bytes, in lower-case hex. Media containers have their mark behind a length. */
export function isDenseByNature(beginningHex: string): boolean {
  return beginningHex.slice(8, 16) === '66747970' || DENSE_BEGINNINGS.some((mark) => beginningHex.startsWith(mark));
}

/** Names that programs which take files hostage give them. Matched against the last part of a name. */
const RANSOM_ENDINGS =
  /\.(?:locked|lockbit|encrypted|enc|crypted|crypt|crypto|cryp1|crypz|wncry|wcry|wncryt|locky|zepto|cerber\d?|ryuk|conti|akira|blackcat|babuk|phobos|dharma|djvu|makop|stop|royal|clop|cl0p|medusa|rhysida|hive|ransom\w*|pay2key|micro|vvv|ecc|ezz|exx|aaa|xtbl|onion|wallet|arena)$/i;
const RANSOM_NOTES =
  /^(?:.*(?:how[_\- ]?to[_\- ]?(?:decrypt|recover|restore|back)|(?:decrypt|recover|restore|unlock)[_\- ]?(?:my|your|all)?[_\- ]?(?:files?|instructions?|data)|ransom[_\- ]?note|your[_\- ]?files[_\- ]?are|!+readme!*|readme[_\- ]?(?:to|for)[_\- ]?(?:decrypt|restore|recover)).*)\.(?:txt|html?|hta|rtf|md)$/i;

export function ransomName(name: string): 'ending' | 'note' | undefined {
  if (RANSOM_NOTES.test(name)) return 'note';
  return RANSOM_ENDINGS.test(name) ? 'ending' : undefined;
}

/** One backup's files against those of an earlier one. */
export interface ProfileComparison {
  /** Readable, or of a known form, in the earlier one. */
  readonly before: number;
  /** Of these, noise now. */
  readonly becameNoise: number;
  /** Of these, gone now. */
  readonly gone: number;
  /** Not there before, and noise. */
  readonly newNoise: number;
  /** Not there before, with a name that takers of hostages give. */
  readonly ransomNames: number;
  readonly ransomNotes: number;
  /** Noise now, of the files that are large enough to tell. */
  readonly noiseNow: number;
  readonly toldNow: number;
}

export interface EntropyVerdict {
  readonly state: 'clean' | 'suspect' | 'unknown' | 'skipped';
  readonly detail: string;
}

const LEAST_FILES = 3;
const LARGEST_SHARE = 0.05;

/**
 * Suspect when at least three files and one in twenty became noise, in place or under another name (gone, and as many new
 * ones of noise), when at least three new names are those of hostages, or when a note was left beside any change of the kind.
 */
export function judgeEntropy(seen: ProfileComparison): EntropyVerdict {
  const { before, becameNoise, gone, newNoise, ransomNames, ransomNotes } = seen;
  const moved = Math.min(gone, newNoise);
  const taken = becameNoise + moved;
  const much = taken >= LEAST_FILES && taken >= before * LARGEST_SHARE;
  const words = [
    `${becameNoise} of ${before} files became unreadable`,
    ...(moved > 0 ? [`${moved} went and as many unreadable ones came`] : []),
    ...(ransomNames > 0 ? [`${ransomNames} new names are those of hostages`] : []),
    ...(ransomNotes > 0 ? [`${ransomNotes} new files are named like ransom notes`] : []),
  ];
  const suspect = much || ransomNames >= LEAST_FILES || (ransomNotes > 0 && taken + ransomNames > 0);
  if (suspect) return { state: 'suspect', detail: words.join('; ') };
  // What was unreadable in the earlier one too can't be told from what it always was.
  if (seen.noiseNow >= LEAST_FILES && seen.noiseNow * 2 > seen.toldNow) {
    return { state: 'unknown', detail: `${seen.noiseNow} of ${seen.toldNow} files are unreadable, and were before` };
  }
  return { state: 'clean', detail: words.join('; ') };
}

/** The oldest that is looked at: only names can tell. */
export function judgeNames({ ransomNames, ransomNotes }: ProfileComparison): EntropyVerdict {
  if (ransomNames < LEAST_FILES && (ransomNotes === 0 || ransomNames === 0)) {
    return { state: 'skipped', detail: 'nothing older to compare its files with' };
  }
  return { state: 'suspect', detail: `${ransomNames} names are those of hostages, ${ransomNotes} of ransom notes` };
}
