%% The workloads of loadgen on Erlang/OTP.
%%
%%   erl +P 5000000 -noshell -pa FOLDER -s peers main -extra [--warmup] SCENARIO SIZE...
%%
%% Prints one line with the figures of each run. README.md says what each scenario does.
-module(peers).
-export([main/0]).

main() ->
    case init:get_plain_arguments() of
        ["--warmup", Scenario | Sizes] -> run(Scenario, Sizes), run(Scenario, Sizes);
        [Scenario | Sizes] -> run(Scenario, Sizes)
    end,
    halt(0).

%% The work runs in a process of its own, so that nothing but its messages lies in its mailbox;
%% they lie outside its heap, so that hundreds of thousands do not make its collections slow.
run(Scenario, Sizes) ->
    Work = fun() -> scenario(Scenario, [list_to_integer(Size) || Size <- Sizes]) end,
    {Pid, Monitor} = spawn_opt(Work, [monitor, {message_queue_data, off_heap}]),
    receive
        {'DOWN', Monitor, process, Pid, normal} ->
            ok;
        {'DOWN', Monitor, process, Pid, Reason} ->
            io:format(standard_error, "peers: ~s: ~p~n", [Scenario, Reason]),
            halt(1)
    end.

scenario("ping_pong", [Pairs, Rounds]) ->
    Boss = self(),
    timed("ping_pong", 2 * Pairs * Rounds, fun() ->
        repeat(Pairs, fun() -> spawn(fun() -> pair(Boss, Rounds) end) end),
        await(Pairs)
    end);
scenario("fan_in", [Senders, Count]) ->
    Boss = self(),
    Sink = spawn(fun() -> sink(Senders * Count), Boss ! done end),
    timed("fan_in", Senders * Count, fun() ->
        repeat(Senders, fun() -> spawn(fun() -> send_down_from(Count, Sink) end) end),
        await(1)
    end);
scenario("ring", [Size, Hops]) ->
    Boss = self(),
    timed("ring", Hops, fun() ->
        Last = spawn(fun() -> receive {next, First} -> node(First, Boss) end end),
        First = lists:foldl(fun(_, Next) -> spawn(fun() -> node(Next, Boss) end) end,
                            Last, lists:seq(2, Size)),
        Last ! {next, First},
        First ! Hops,
        await(1)
    end);
scenario("spawn", [Count]) ->
    timed("spawn", Count, fun() ->
        repeat(Count, fun() -> spawn_monitor(fun() -> ok end) end),
        repeat(Count, fun() -> receive {'DOWN', _, process, _, normal} -> ok end end)
    end);
scenario("skynet", [Leaves]) ->
    Boss = self(),
    Expected = Leaves * (Leaves - 1) div 2,
    timed("skynet", Leaves, fun() ->
        spawn(fun() -> tree(Boss, 0, Leaves) end),
        receive Sum when is_integer(Sum) -> Expected = Sum end
    end);
scenario("idle_memory", [Count]) ->
    erlang:garbage_collect(),
    Before = resident_bytes(),
    Idle = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, Count)],
    timer:sleep(500),
    Growth = resident_bytes() - Before,
    io:format("idle_memory n=~b rss_per_process=~.1f B~n", [Count, Growth / Count]),
    lists:foreach(fun(Pid) -> Pid ! stop end, Idle);
scenario("latency_under_load", [Busy, Rounds]) ->
    latency_under_load(Busy, Rounds);
scenario("steal", [Tasks, N]) ->
    Boss = self(),
    timed("steal", Tasks, fun() ->
        repeat(Tasks, fun() -> spawn(fun() -> fib(N), Boss ! done end) end),
        await(Tasks)
    end).

timed(Name, Count, Work) ->
    Started = erlang:monotonic_time(microsecond),
    Work(),
    Micros = max(1, erlang:monotonic_time(microsecond) - Started),
    io:format("~s n=~b time_ms=~.1f rate=~.3f M/s~n", [Name, Count, Micros / 1000, Count / Micros]).

repeat(0, _) -> ok;
repeat(Times, Act) -> Act(), repeat(Times - 1, Act).

await(0) -> ok;
await(Count) -> receive done -> await(Count - 1) end.

%% ping_pong: the caller starts its partner and plays all rounds with it.
pair(Boss, Rounds) ->
    Partner = spawn(fun() -> answer(Rounds) end),
    ask(Partner, Rounds),
    Boss ! done.

ask(_, 0) -> ok;
ask(Partner, Left) ->
    Partner ! {self(), Left},
    receive {answer, _} -> ask(Partner, Left - 1) end.

answer(0) -> ok;
answer(Left) ->
    receive {Asker, Number} -> Asker ! {answer, Number}, answer(Left - 1) end.

%% fan_in
sink(0) -> ok;
sink(Left) -> receive {n, _} -> sink(Left - 1) end.

send_down_from(0, _) -> ok;
send_down_from(Number, Sink) -> Sink ! {n, Number}, send_down_from(Number - 1, Sink).

%% ring: the token is the number of hops left.
node(Next, Boss) ->
    receive
        0 -> Boss ! done;
        Left -> Next ! Left - 1, node(Next, Boss)
    end.

%% skynet
tree(Parent, Number, 1) -> Parent ! Number;
tree(Parent, First, Leaves) ->
    Self = self(),
    Share = Leaves div 10,
    children(Self, First, Share, 10),
    Parent ! sum(10, 0).

children(_, _, _, 0) -> ok;
children(Parent, First, Share, Left) ->
    spawn(fun() -> tree(Parent, First, Share) end),
    children(Parent, First + Share, Share, Left - 1).

sum(0, Sum) -> Sum;
sum(Left, Sum) -> receive Part -> sum(Left - 1, Sum + Part) end.

%% One request every two milliseconds, each at its intended moment: whole milliseconds, because
%% that is what timers resolve here. One time counts from that moment, the other from the send.
latency_under_load(Busy, Rounds) ->
    Hogs = [spawn(fun compute/0) || _ <- lists:seq(1, Busy)],
    timer:sleep(100),
    Echo = spawn(fun() -> answer(Rounds) end),
    Boss = self(),
    spawn(fun() ->
        Start = erlang:monotonic_time(millisecond) + 5,
        Boss ! {times, [request(Echo, Start + 2 * Round, Round) || Round <- lists:seq(1, Rounds)]}
    end),
    {FromIntended, FromSend} = receive {times, Times} -> lists:unzip(Times) end,
    lists:foreach(fun(Pid) -> exit(Pid, kill) end, Hogs),
    io:format("latency_under_load hogs=~b n=~b from_intended_us: ~s rtt_us: ~s~n",
              [Busy, Rounds, quantiles(FromIntended), quantiles(FromSend)]).

request(Echo, IntendedMs, Round) ->
    Timer = erlang:start_timer(IntendedMs, self(), due, [{abs, true}]),
    receive {timeout, Timer, due} -> ok end,
    Sent = erlang:monotonic_time(nanosecond),
    Echo ! {self(), Round},
    receive {answer, Round} -> ok end,
    Received = erlang:monotonic_time(nanosecond),
    {Received - IntendedMs * 1000000, Received - Sent}.

quantiles(Times) ->
    Sorted = list_to_tuple(lists:sort(Times)),
    At = fun(Share) -> element(max(1, round(Share * tuple_size(Sorted))), Sorted) / 1000 end,
    io_lib:format("p50=~.1f p90=~.1f p99=~.1f p999=~.1f max=~.1f",
                  [At(Share) || Share <- [0.5, 0.9, 0.99, 0.999, 1.0]]).

compute() -> fib(20), compute().

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

%% The second number of statm counts pages; 4096 bytes each on the machines this is for.
resident_bytes() ->
    {ok, Content} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Content, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.
