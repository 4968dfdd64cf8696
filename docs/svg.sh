#!/usr/bin/env bash
# Draws terminals side by side: docs/svg.sh COLUMNS ROWS TITLE=FILE... >picture.svg
# Each FILE has what `tmux capture-pane -e -p` printed. Needs only bash.
set -euo pipefail
export LC_ALL=C.UTF-8

columns=$1 rows=$2
shift 2

# Pixels of a character cell, around a terminal, and of its title.
cell=12 line=26 margin=24 title=44
foreground='#d8dee9' background='#1f2430'
colors=('#3b4252' '#e06c75' '#98c379' '#e5c07b' '#61afef' '#c678dd' '#56b6c2' '#d8dee9'
  '#8a93a5' '#ff7b86' '#b5e890' '#ffd58a' '#7cc4ff' '#e19cf5' '#74d7e4' '#ffffff')

# Sets `color` to number $1 of the 256 colors.
indexed() {
  local level=(0 95 135 175 215 255) n=$1
  if ((n < 16)); then
    color=${colors[n]}
  elif ((n < 232)); then
    printf -v color '#%02x%02x%02x' "${level[(n - 16) / 36]}" "${level[(n - 16) / 6 % 6]}" "${level[(n - 16) % 6]}"
  else
    printf -v color '#%02x%02x%02x' $((8 + 10 * (n - 232))) $((8 + 10 * (n - 232))) $((8 + 10 * (n - 232)))
  fi
}

plain() { fg='' bg='' bold='' faint='' italic='' underline='' reverse=''; }

# Takes over the parameters of one sequence `ESC [ ... m`.
attributes() {
  local p
  IFS=';' read -ra p <<<"${1:-0}"
  set -- "${p[@]}"
  while (($#)); do
    case $1 in
      0 | '') plain ;;
      1) bold=1 ;;
      2) faint=1 ;;
      3) italic=1 ;;
      4) underline=1 ;;
      7) reverse=1 ;;
      22) bold='' faint='' ;;
      23) italic='' ;;
      24) underline='' ;;
      27) reverse='' ;;
      39) fg='' ;;
      49) bg='' ;;
      3[0-7]) fg=${colors[$1 - 30]} ;;
      4[0-7]) bg=${colors[$1 - 40]} ;;
      9[0-7]) fg=${colors[$1 - 90 + 8]} ;;
      10[0-7]) bg=${colors[$1 - 100 + 8]} ;;
      38 | 48)
        local which=$1
        if [[ $2 == 5 ]]; then
          indexed "$3"
          shift 2
        else
          printf -v color '#%02x%02x%02x' "$3" "$4" "$5"
          shift 4
        fi
        if ((which == 38)); then fg=$color; else bg=$color; fi
        ;;
    esac
    shift
  done
}

# Draws the characters since the last sequence. `textLength` keeps them in their cells with any font.
run=''
flush() {
  [[ -n $run ]] || return 0
  local width=$(((column - start) * cell)) x=$((left + start * cell)) front=${fg:-$foreground} back=$bg style=''
  if [[ -n $reverse ]]; then
    front=${bg:-$background} back=${fg:-$foreground}
  fi
  if [[ -n $back ]]; then
    echo "<rect x='$x' y='$((y - 19))' width='$width' height='$line' fill='$back'/>"
  fi
  if [[ -n ${run// /} ]]; then
    [[ -z $bold ]] || style+=" font-weight='bold'"
    [[ -z $faint ]] || style+=" opacity='0.65'"
    [[ -z $italic ]] || style+=" font-style='italic'"
    [[ -z $underline ]] || style+=" text-decoration='underline'"
    run=${run//'&'/'&amp;'} run=${run//'<'/'&lt;'} run=${run//'>'/'&gt;'}
    echo "<text x='$x' y='$y' fill='$front'$style textLength='$width' lengthAdjust='spacingAndGlyphs'>$run</text>"
  fi
  run='' start=$column
}

# Draws one row of a terminal.
row() {
  local text=$1 char code
  column=0 start=0 run=''
  while [[ -n $text ]]; do
    if [[ $text =~ ^$'\e'\[([0-9\;:]*)m ]]; then
      flush
      text=${text:${#BASH_REMATCH[0]}}
      attributes "${BASH_REMATCH[1]//:/;}"
      continue
    fi
    # Links and sequences that do not change the look.
    if [[ $text =~ ^$'\e'(\][^$'\e']*$'\e'\\|\[[0-9\;?]*[A-Za-z]|[()].|.) ]]; then
      text=${text:${#BASH_REMATCH[0]}}
      continue
    fi
    char=${text:0:1} text=${text:1}
    run+=$char
    printf -v code '%d' "'$char"
    # Chinese, Japanese, Korean and emoji take two cells, marks and joiners none.
    if ((code >= 0x1100 && code < 0x1160 || code >= 0x2e80 && code < 0xa4d0 || code >= 0xac00 && code < 0xd7a4 ||
      code >= 0xf900 && code < 0xfb00 || code >= 0xfe30 && code < 0xfe70 || code >= 0xff00 && code < 0xff61 ||
      code >= 0x1f300 && code < 0x1fb00)); then
      column=$((column + 2))
    elif ! ((code >= 0x300 && code < 0x370 || code == 0x200d || code >= 0xfe00 && code < 0xfe10)); then
      column=$((column + 1))
    fi
  done
  flush
}

one=$((columns * cell + 2 * margin)) high=$((rows * line + title + margin))
wide=$((one * $# + margin * ($# - 1)))
echo "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 $wide $high' width='$((wide / 2))' height='$((high / 2))'" \
  "font-family='ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace' font-size='20' xml:space='preserve'>"
number=0
for terminal; do
  corner=$((number * (one + margin))) left=$((number * (one + margin) + margin)) number=$((number + 1))
  echo "<rect x='$corner' width='$one' height='$high' rx='12' fill='$background'/>"
  echo "<text x='$((corner + one / 2))' y='29' fill='${colors[8]}' text-anchor='middle'>${terminal%%=*}</text>"
  plain
  y=$((title + 19))
  while IFS= read -r text; do
    row "$text"
    y=$((y + line))
  done < <(head -n "$rows" "${terminal#*=}")
done
echo '</svg>'
