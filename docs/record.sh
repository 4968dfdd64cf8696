#!/usr/bin/env bash
# Makes docs/session.svg and docs/SCREENS.md from real runs of the release binary in tmux.
# docs/record.sh PROGRAM uses that binary instead of building one.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/p2p-chat}
(($#)) || cargo build --release --locked
# A loopback network of its own, if the system permits that, keeps other programs out of the pictures.
if [[ -z ${RECORDS:-} ]] && unshare -rn true 2>/dev/null; then
  RECORDS=1 exec unshare -rn sh -c 'ip link set lo up && exec docs/record.sh "$1"' sh "$program"
fi
state=$(mktemp -d)
mkdir "$state/bin" "$state/empty"
cp "$program" "$state/bin/p2p-chat"
# A program that is killed may still write its files for a moment.
trap 'tmux -L record kill-server 2>/dev/null || true; rm -rf "$state" 2>/dev/null || { sleep 2; rm -rf "$state"; }' EXIT

# All run on the loopback network, in a directory without peers.toml, and leave nothing behind.
clean=(env -i "PATH=$state/bin:/usr/bin:/bin" "HOME=$state" TERM=tmux-256color LANG=C.UTF-8 "PS1=\$ " USER=dan TZ=UTC
  P2P_CHAT_BIND=127.0.0.1 P2P_CHAT_DISCOVER=off TMUX=inside)
shell="cd $state/empty && exec ${clean[*]@Q} bash --norc --noprofile -i"

t() { tmux -L record "$@"; }

# Waits until a pane shows something, given as a regular expression.
sees() {
  for _ in $(seq 100); do
    if t capture-pane -p -t "$1" | grep -qE -- "$2"; then return; fi
    sleep 0.1
  done
  echo "$1 never showed: $2" >&2
  t capture-pane -p -t "$1" >&2
  exit 1
}

types() { t send-keys -t "$1" -l -- "$2"; }
press() { t send-keys -t "$1" "${@:2}"; sleep 0.4; }
enters() { types "$1" "$2"; sleep 0.2; press "$1" Enter; }

# Opens three windows of this size, each with a shell.
opens() {
  while t ls >/dev/null 2>&1; do sleep 0.1; done
  t -f /dev/null new-session -d -x "$1" -y "$2" "$shell"
  t set -g status off
  t set -g focus-events on
  t new-window "$shell"
  t new-window "$shell"
}
a=:0 b=:1 c=:2

screens=docs/SCREENS.md
cat >"$screens" <<'WORDS'
# Screens

The screens of a first session, from real runs. [record.sh](record.sh) makes this page and the
picture in the README. Colours are not shown here.
WORDS
number=0
# Adds a screen: a pane, a title, and what was typed.
screen() {
  number=$((number + 1))
  {
    printf '\n## %d. %s\n\n' "$number" "$2"
    fold -s -w 100 <<<"$3" | sed 's/ *$//'
    printf '\n```\n'
    t capture-pane -p -t "$1" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
    printf '```\n'
  } >>"$screens"
}

# The picture of the README.
opens 66 14
enters $a "p2p-chat --name Alice --port 5000"
sees $a "Choice"
enters $b "p2p-chat --name Bob --port 5001 --peer 127.0.0.1:5000"
sees $a "Bob.* is online"
sees $b "Alice.* is online"
press $a C-l
press $b C-l
enters $b "@alice Hello! Lunch at one?"
sees $a "Lunch at one"
enters $a "/reply Gladly. Where?"
sees $b "Gladly"
enters $b "/chat alice"
sees $b "end of the history|Where"
enters $b "At the usual table"
sees $a "usual table"
enters $b "Carol comes too"
sees $a "Carol comes"
types $a "@bob See you there"
sleep 0.5
t capture-pane -e -p -t $a >"$state/alice"
t capture-pane -e -p -t $b >"$state/bob"
docs/svg.sh 66 14 "Alice=$state/alice" "Bob=$state/bob" >docs/session.svg
t kill-server
rm -rf "$state/.local" "$state/.config"

# The first minute of two newcomers on two machines of one network, which are namespaces of their own.
if [[ -n ${RECORDS:-} ]]; then
  opens 84 22
  enters $b "exec unshare -n bash --norc --noprofile -i"
  other=$(t display-message -p -t $b '#{pane_pid}')
  ip link add eth0 type veth peer name eth0 netns "$other"
  machine() { ip addr add "$1/24" dev eth0 && ip link set lo up && ip link set eth0 up && ip route add default dev eth0; }
  machine 192.168.1.20
  nsenter --net="/proc/$other/ns/net" bash -c "$(declare -f machine); machine 192.168.1.21"
  for window in $a $b; do enters $window "unset P2P_CHAT_BIND P2P_CHAT_DISCOVER; clear"; done
  enters $a "p2p-chat --name Alice --port 5000"
  sees $a "Choice"
  enters $b "p2p-chat --name Bob --port 5000"
  sees $b "Alice.* is online"
  sees $a "Bob.* is online"
  screen $b "Two machines on one network" \
    "Typed: \`p2p-chat --name Bob --port 5000\`. Alice has started hers in the same way on another machine."
  press $a C-l
  enters $b "@alice Hello"
  sees $a "Hello"
  enters $a "/reply Hello Bob"
  sees $b "Hello Bob"
  screen $a "The first message to a machine on the network" "Typed: \`/reply Hello Bob\`. Alice's screen."
  t kill-server
  ip link del eth0
  rm -rf "$state/.local" "$state/.config"
fi

# A first session: a newcomer who uses numbers, and Bob, who uses names.
opens 84 22
enters $a "p2p-chat"
sees $a "name \[dan\]"
press $a Enter
sees $a "port"
press $a Enter
sees $a "Choice"
screen $a "The first start" "Typed: \`p2p-chat\`, Enter for the name offered, Enter for the port offered."
enters $b "p2p-chat --name Bob --port 5001"
sees $b "Choice"
press $a C-l
enters $a "3"
enters $a "127.0.0.1:5001"
sees $a "Bob.* is online"
sees $b "dan.* is online"
screen $a "Connect to an address" "Typed: \`3\` and the address that Bob's program shows."
press $a C-l
enters $a "1"
enters $a "bob"
enters $a "Hello Bob, I am new here"
sees $b "I am new here"
screen $a "The first message" "Typed: \`1\`, \`bob\` and the text."
press $b C-l
enters $b "/reply Welcome!"
sees $a "Welcome!"
enters $b "/chat dan"
enters $b "Every line goes to you now"
sees $a "Every line"
types $b "This line stays whole"
enters $a "@bob even while I write this?"
sees $b "while I write"
screen $b "A conversation, and a message while typing" \
  "Typed by Bob: \`/reply Welcome!\`, \`/chat dan\` and lines. The last line is half typed."
press $b Enter
press $a C-l
enters $a "/peers"
sees $a "1 peer|1 known"
screen $a "The peer list" "Typed: \`/peers\`, which is \`2\` in the menu."
t resize-window -t $a -x 84 -y 36
press $a C-l
enters $a "/help"
sees $a "/quit"
screen $a "Help" "Typed: \`/help\`."
t resize-window -t $a -x 84 -y 22
press $a C-l
printf 'fn main() {\n    println!("{}", 6 * 7);\n}\n' | t load-buffer -
enters $a "/chat bob"
sees $a "end of the history|Welcome"
t paste-buffer -p -t $a
sleep 0.4
press $a Enter
sees $b "println"
screen $b "A pasted block" "One message of three lines. The bar shows that they belong to it."
enters $a "/back"
enters $b "/back"
press $a C-l
press $b C-l
enters $b "/verify dan"
enters $a "/verify bob"
sees $a "yes/no"
screen $a "Compare the safety number" "Typed: \`/verify bob\` here, \`/verify dan\` there. Both read the digits to each other."
enters $a "yes"
enters $b "yes"
sees $a "is verified"
press $a C-l
enters $c "p2p-chat --data-dir other --name Bob --port 5003 --peer 127.0.0.1:5000"
sees $a "with the old key"
sees $a "/trust"
screen $a "A key has changed" "An unknown key claims Bob's name. Messages for Bob still go to the old key."
press $a C-l
enters $a "/accept Bob"
sees $a "5003|Bob.* is online"
enters $a "/peers"
sees $a "2 peers|2 known"
screen $a "Two people with one name" \
  "Typed: \`/accept Bob\` and \`/peers\`. If Bob had a new device, \`/trust Bob\` would move him to the new key."
t kill-server
rm -rf "$state/.local" "$state/.config"

# A peer is offline, then both have restarted.
opens 84 22
enters $a "p2p-chat --name Alice --port 5010"
sees $a "Choice"
enters $b "p2p-chat --name Bob --port 5011 --peer 127.0.0.1:5010"
sees $a "Bob.* is online"
enters $b "@alice Shall we have lunch?"
sees $a "have lunch"
enters $b "/quit"
sees $a "Bob.* left"
press $a C-l
enters $a "@bob Gladly, at noon"
sees $a "Queued for Bob|Bob is offline"
enters $a "@bob At the usual table?"
enters $a "/outbox"
sees $a "/outbox cancel"
screen $a "A peer is offline" "Bob has left. Typed: two messages to Bob, and \`/outbox\`."
enters $a "/quit"
sees $a "\\$ *$"
press $b C-l
enters $b "p2p-chat --name Bob --port 5011"
sees $b "Choice"
press $a C-l
enters $a "p2p-chat --name Alice --port 5010"
sees $a "Bob.* is online"
sees $b "usual table"
sleep 1
screen $a "Delivered after both restarted" "Bob has started, then Alice. Typed: only \`p2p-chat --name Alice --port 5010\`."
press $b C-l
enters $b "/chat alice"
sees $b "end of the history|usual table"
screen $b "What was said before" "Typed by Bob: \`/chat alice\`."
press $a C-l
enters $a "/history bob noon"
enters $a "/history"
sees $a "have lunch"
screen $a "The history, and a search" "Typed: \`/history bob noon\` and \`/history\`."
enters $a "/quit"
sees $a "\\$ *$"
press $a C-l
enters $a "p2p-chat --plain --name Alice --port 5010"
sees $a "Bob.* is online"
enters $b "Can you read this?"
sees $a "read this"
enters $a "@bob Every word"
sees $b "Every word"
sleep 0.5
screen $a "Plain output, for screen readers" \
  "Typed: \`p2p-chat --plain ...\` and \`@bob Every word\`. Each event is one line, and nothing is redrawn."
t kill-server
rm -rf "$state/.local" "$state/.config"

# A stranger under each policy, each time with profiles of its own.
opens 84 16
port=5030
for policy in accept-new ask strict; do
  enters $a "clear"
  enters $a "p2p-chat --data-dir alice-$policy --name Alice --port $port --policy $policy"
  sees $a "Choice"
  press $a C-l
  enters $b "clear"
  enters $b "p2p-chat --data-dir dave-$policy --name Dave --port $((port + 1))"
  sees $b "Choice"
  enters $b "@127.0.0.1:$port May I join you?"
  case $policy in
    accept-new)
      sees $a "May I join"
      enters $a "/peers"
      sees $a "1 peer|1 known"
      enters $a "@dave Welcome"
      sees $b "Welcome"
      sleep 0.5
      screen $a "A stranger, with the default policy" \
        "Typed: \`/peers\` and \`@dave Welcome\`. Dave is \`new\` until Alice answers."
      ;;
    ask)
      sees $a "wants to chat"
      enters $a "/requests"
      sleep 0.5
      enters $a "/accept dave"
      sees $a "May I join"
      screen $a "A message request, with --policy ask" \
        "Typed: \`/requests\` and \`/accept dave\`. The message is shown only then."
      ;;
    strict)
      sees $a "Refused Dave"
      sleep 0.5
      screen $a "A refused stranger, with --policy strict" "Typed: nothing. The line says how to let Dave in."
      ;;
  esac
  press $a C-u
  enters $a "/quit"
  enters $b "/quit"
  sees $a "\\$ *$"
  sees $b "\\$ *$"
  port=$((port + 2))
done
t kill-server
