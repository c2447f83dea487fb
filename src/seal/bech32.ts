/** Bech32 (BIP 173), as age uses it for identities and recipients: no length limit of 90, lower or upper case, never both. */

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3] as const;

/** Encodes bytes under a lower-case prefix. */
export function bech32Encode(prefix: string, bytes: Uint8Array): string {
  const words = regroup(bytes, 8, 5, true);
  const checked = [...expandPrefix(prefix), ...words, 0, 0, 0, 0, 0, 0];
  const sum = polymod(checked) ^ 1;
  const tail = [0, 1, 2, 3, 4, 5].map((index) => (sum >> (5 * (5 - index))) & 31);
  return `${prefix}1${[...words, ...tail].map((word) => ALPHABET.charAt(word)).join('')}`;
}

/** Decodes; throws a plain Error that says what is wrong without repeating the text, which may be a secret. */
export function bech32Decode(text: string): { prefix: string; bytes: Uint8Array } {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) throw new Error('mixes upper and lower case');
  const split = lower.lastIndexOf('1');
  if (split < 1 || lower.length - split < 7) throw new Error('is too short');
  const prefix = lower.slice(0, split);
  const words = Array.from(lower.slice(split + 1), (letter) => ALPHABET.indexOf(letter));
  if (words.includes(-1)) throw new Error('contains a character that Bech32 does not have');
  if (polymod([...expandPrefix(prefix), ...words]) !== 1) throw new Error('has a wrong checksum; a letter is wrong');
  return { prefix, bytes: Uint8Array.from(regroup(words.slice(0, -6), 5, 8, false)) };
}

function expandPrefix(prefix: string): number[] {
  const codes = Array.from(prefix, (letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

function polymod(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((term, bit) => {
      if ((top >> bit) & 1) sum ^= term;
    });
  }
  return sum >>> 0;
}

function regroup(values: Iterable<number>, from: number, to: number, pad: boolean): number[] {
  const out: number[] = [];
  let held = 0;
  let bits = 0;
  for (const value of values) {
    held = ((held << from) | value) & 0xfff;
    bits += from;
    while (bits >= to) {
      bits -= to;
      out.push((held >> bits) & ((1 << to) - 1));
    }
  }
  const rest = (held << (to - bits)) & ((1 << to) - 1);
  if (pad && bits > 0) out.push(rest);
  if (!pad && (bits >= from || rest !== 0)) throw new Error('has padding that does not belong there');
  return out;
}
