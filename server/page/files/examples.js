/** Puzzles to begin with, by size; names say what is special about each. */

import { parsePuzzle } from "./sudoku_rules.js";

/** @type {Record<number, {name: string, grid: string}[]>} */
export const EXAMPLES = {
  4: [
    { name: "Gentle", grid: "1..24...241.3..." },
    { name: "Four givens", grid: "3.1.......3....4" },
  ],
  6: [
    { name: "Gentle", grid: "...543....21..34..1..36.52.....4.256" },
    { name: "Minimal", grid: ".....1.5.4.3...1...32.....3..42....." },
    { name: "Minimal, another", grid: "..3.4...6...4..1......5...5....1.23." },
  ],
  9: [
    {
      name: "Gentle",
      grid: "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    },
    {
      name: "17 givens",
      grid: "4.....8.5.3..........7......2.....6.....8.4......1.......6.3.7.5..2.....1.4......",
    },
    {
      name: "Inkala 2012",
      grid: "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..",
    },
    {
      name: "Very hard",
      grid: "..2....6......9..7.1....3.4..82......7...3..16...5.......8...5.....4...3.9...74..",
    },
    {
      name: "Stubborn",
      grid: ".5.4....72.....4..4...8.35..4.5...7.9.5........2.1.....3.6..7.......1..68...9..4.",
    },
    {
      name: "Has no answer",
      grid: "4.....8.5.3..........7......2.....6.....8.4.9....1.......6.3.7.5..2.....1.4......",
    },
  ],
  16: [
    {
      name: "Gentle",
      grid:
        "6C3A.7...5..GD4B7.9DBA5..3.1EC.282..C34DG7..6..1B5..GE62CDF9387A" +
        "3.5...G.FB.DA...E.79.8B..25.CG.F.A2F.D.....EB4.84.....E18CGA..29" +
        "...256D.38CF.71GF..8..74.1B2..9C.4.1F2.35.6..E..57.B.91CE...2FA3" +
        "..C.7..F.42.9.G.1BE....G.A8.F.C4.F.GAB9..E1CD385.9.5.C..B.3..A.7",
    },
    {
      name: "Fewer givens",
      grid:
        "..F.61C.5A.39.7..D..E.3G.F....1CA.6...B.9....F..C1.8..9.2....346" +
        "...G..1.F5..D.2.D.2..8.9...B.C6G.9.E........31B.157.B..D..3C8..." +
        ".C..1.2B84DA.5E....D5..FC6..493B...549D.1.B.A..2.B3...A..9E56..." +
        "92.1.C64.B.....8..8F...2...4C6.354B..A.ED.F.1.G936...F...E82..A.",
    },
  ],
  25: [
    {
      name: "Gentle",
      grid:
        "K.62H9.8..ON.4.FE.MC..3JB.5EABHF.KMI.....9.P.2.G..7G...O.I1.D8K9.3A542.L.E." +
        ".3.F.E.C4.1.B5..G.6DM..N.I9....362GME7....1..K5FCA9..5I.ME..C6L.H.8..KNBP.O" +
        "8B.M2.6P.O9.G.DI3N.J.H.4.3EJ6G82DL..P.M.4..HB97CF.4.CK7BN.A.....I6M9F13.L.." +
        "NHDO.F1593..4.8G.LE.62.I..J4..18FIPLKDHM9.C.O5EAB..MBGO.CA3E526P1HI4KN..7.J" +
        "ANFIL7G....B9JEMPD28...63.8.9P4.M6NF..C.B1...LG2..H65...J.D.8G.....7.FIP4.." +
        "P...F6KOM5J.8D..2BC7EINAHMAN1.3....H5.I.8J..4..DL7..9EDN4LJ.AMPKB5HG....O.F" +
        ".7.B5.D..8..FN.1KE3.49..CJL8.6P.1GC34E7OND.9....25BC..N5.3.9.7H..P..8GJ.I12" +
        ".O.J9G.7B...M85.4..IFAEKLF17L4.EK86P.CAJDO2.9H.B3...HPMCA.N2..1F....L.D.859" +
        "5.2.EIH4.D.9OGLA..13.M67.",
    },
  ],
};

/**
 * What is on the board to begin with.
 * @param {number} size
 */
export function firstPuzzle(size) {
  return parsePuzzle(EXAMPLES[size][0].grid).cells;
}
