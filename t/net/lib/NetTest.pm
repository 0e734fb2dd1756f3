# SPDX-License-Identifier: BSD-2-Clause

package NetTest;

# nginx with the test module, mock servers and certificates for t/net/*.t.
# Everything is on loopback and in one temporary directory, and is removed when
# the test ends, for whatever reason.

use strict;
use warnings;

use Exporter 'import';
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use POSIX qw(:sys_wait_h);
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
    dir free_port tcp_server dns_server stop_process read_request answer
    reset_connection slowly nginx_start nginx_stop nginx_signal nginx_wait_exit
    nginx_workers connection fetch raw_fetch log_text log_like write_file make_ca
    make_cert tls_options wait_for sanitized
);

my $main = $$;
my $dir = tempdir("ngx-net-XXXXXX", TMPDIR => 1, CLEANUP => 0);
my %children;
my $nginx;
my $port;

sub dir { $dir }

sub sanitized { $ENV{NET_TEST_ASAN} || $ENV{NET_TEST_VALGRIND} }


# --- processes

sub _fork {
    my ($code) = @_;

    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';
        $SIG{PIPE} = 'IGNORE';
        %children = ();
        eval { $code->(); };
        print STDERR "# mock: $@" if $@ && $ENV{NET_TEST_VERBOSE};
        POSIX::_exit(0);
    }

    $children{$pid} = 1;

    return $pid;
}

sub stop_process {
    my ($pid) = @_;

    return if !delete $children{$pid};

    # a server forks for each connection, so kill its process group

    kill 'KILL', -$pid;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

END {
    if ($$ == $main) {
        my $status = $?;
        nginx_stop() if $nginx;
        stop_process($_) for keys %children;
        system "rm", "-rf", $dir if !$ENV{NET_TEST_KEEP};
        $? = $status;
    }
}

sub wait_for {
    my ($what, $seconds) = @_;

    my $end = time + $seconds;

    while (time < $end) {
        return 1 if $what->();
        sleep 0.02;
    }

    return $what->();
}

sub free_port {
    my ($host) = @_;

    my $s = IO::Socket::IP->new(Listen => 1, LocalHost => $host // '127.0.0.1',
                                LocalPort => 0) or return undef;
    return $s->sockport;
}


# --- servers, with a process for each connection

sub tcp_server {
    my (%o) = @_;

    my $listen = IO::Socket::IP->new(
        Listen => 64, LocalHost => $o{host} // '127.0.0.1',
        LocalPort => $o{port} // 0, ReuseAddr => 1)
        or die "cannot listen: $@";

    my $code = $o{code};
    my $server_port = $listen->sockport;

    my $pid = _fork(sub {
        setpgrp;
        $SIG{CHLD} = 'IGNORE';

        while (1) {
            my $c = $listen->accept or next;

            my $child = fork;
            next if $child;

            $c->autoflush(1);
            close $listen;

            if ($o{tls}) {
                require IO::Socket::SSL;

                my %tls = %{ $o{tls} };
                IO::Socket::SSL->start_SSL($c, SSL_server => 1, %tls)
                    or POSIX::_exit(0);
            }

            eval { $code->($c); };
            print STDERR "# mock: $@" if $@ && $ENV{NET_TEST_VERBOSE};
            $o{tls} ? $c->close : close $c;
            POSIX::_exit(0);
        }
    });

    close $listen;

    return ($server_port, $pid);
}

# A name server.  answer->(name, type) returns [rcode, addresses...], or undef
# for no answer.  The log has one line per question.

sub dns_server {
    my (%o) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
                                  LocalPort => $o{port} // 0)
        or die "udp: $!";
    my $dns_port = $s->sockport;
    my $log = $o{log};

    my $pid = _fork(sub {
        setpgrp;

        while (1) {
            my $peer = $s->recv(my $q, 4096) // next;

            my ($id, $flags, $n) = unpack 'n3', $q;
            my $pos = 12;
            my @labels;

            while (my $len = ord substr $q, $pos, 1) {
                push @labels, substr $q, $pos + 1, $len;
                $pos += 1 + $len;
            }

            my $name = join '.', @labels;
            my ($type) = unpack 'n', substr $q, $pos + 1, 2;
            my $question = substr $q, 12, $pos + 5 - 12;

            if ($log) {
                open my $f, '>>', $log;
                print $f "$name ", ($type == 28 ? "AAAA" : "A"), "\n";
                close $f;
            }

            my $a = $o{answer}->($name, $type == 28 ? 'AAAA' : 'A');
            next if !$a;

            my ($rcode, @addrs) = @$a;
            my $rrs = '';

            for my $addr (@addrs) {
                my $data = $addr =~ /:/
                           ? Socket::inet_pton(Socket::AF_INET6(), $addr)
                           : Socket::inet_aton($addr);
                $rrs .= pack('n n n N n', 0xc00c, $type, 1, $o{ttl} // 60,
                             length $data) . $data;
            }

            $s->send(pack('n6', $id, 0x8180 | $rcode, 1, scalar @addrs, 0, 0)
                     . $question . $rrs, 0, $peer);
        }
    });

    close $s;

    return ($dns_port, $pid);
}

# Reads a request: { method, path, headers (names in lower case), body, head }.

sub read_request {
    my ($c) = @_;

    my $buf = '';

    while ($buf !~ /\r\n\r\n/) {
        my $n = sysread $c, $buf, 65536, length $buf;
        return undef if !$n;
    }

    my ($head, $body) = split /\r\n\r\n/, $buf, 2;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $path) = split / /, $line;
    my %h = map { my ($n, $v) = split /: /, $_, 2; (lc $n, $v) } @lines;

    while (length $body < ($h{'content-length'} // 0)) {
        my $n = sysread $c, $body, 65536, length $body;
        return undef if !$n;
    }

    return { method => $method, path => $path, headers => \%h,
             body => $body, head => $head };
}

sub answer {
    my ($c, $body, @headers) = @_;

    my $text = join '', map { "$_\r\n" } "HTTP/1.1 200 OK",
                    "Content-Length: " . length($body), @headers;

    my $all = "$text\r\n$body";
    my $off = 0;

    while ($off < length $all) {
        my $n = syswrite $c, $all, 16384, $off;
        return if !$n;
        $off += $n;
    }
}

sub reset_connection {
    my ($c) = @_;

    setsockopt $c, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    close $c;
    POSIX::_exit(0);
}

sub slowly {
    my ($c, $text, $delay) = @_;

    for my $byte (split //, $text) {
        syswrite $c, $byte or return;
        sleep $delay;
    }
}


# --- nginx

sub write_file {
    my ($name, $text) = @_;

    $name = "$dir/$name" if $name !~ m{^/};

    open my $f, '>', "$name.new" or die "$name: $!";
    print $f $text;
    close $f;
    rename "$name.new", $name or die "$name: $!";

    return $name;
}

# $locations is the content of the server block; %o: main, events, http, test,
# preload.

sub nginx_start {
    my ($locations, %o) = @_;

    $port //= free_port();

    my $module = $ENV{NET_TEST_MODULE} or die "NET_TEST_MODULE is not set";
    my $user = $> == 0 ? "user root;" : "";
    my $level = $o{level} // 'info';
    my $binary = $ENV{NET_TEST_NGINX} // 'nginx';
    my ($main_conf, $events, $http) = map { $_ // '' }
                                      @o{qw(main events http)};

    my $file = write_file("nginx.conf", <<"CONF");
$user
load_module $module;
pid $dir/nginx.pid;
error_log $dir/error.log $level;
daemon off;
worker_processes @{[ $o{workers} // 1 ]};
$main_conf

events {
    $events
}

http {
    access_log off;
    keepalive_timeout 0;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    $http

    server {
        listen 127.0.0.1:$port;
        $locations

        location = /up {
            return 204;
        }
    }
}
CONF

    my @command = ($binary, '-p', $dir, '-c', $file,
                   '-e', "$dir/error.log");

    local $ENV{LD_PRELOAD} = join ' ', _preload(), $o{preload} // ();
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0:abort_on_error=1'
                               . ':detect_odr_violation=0';
    local $ENV{UBSAN_OPTIONS} = 'print_stacktrace=1:halt_on_error=1';

    if ($o{test}) {
        my $out = `@command -t 2>&1`;
        return ($? == 0, $out);
    }

    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        open STDERR, '>>', "$dir/stderr.log";

        if ($ENV{NET_TEST_VALGRIND}) {

            # nginx itself never frees its environment and its connections

            my $file = write_file('valgrind.supp',
                "{\n environment\n Memcheck:Leak\n ...\n"
                . " fun:ngx_set_environment\n ...\n}\n"
                . "{\n connections\n Memcheck:Leak\n fun:malloc\n"
                . " fun:ngx_alloc\n obj:*/nginx\n obj:*/nginx\n"
                . " obj:*/nginx\n ...\n}\n");

            unshift @command, qw(valgrind --quiet --trace-children=yes
                --error-exitcode=99 --leak-check=full
                --show-leak-kinds=definite --keep-debuginfo=yes
                --num-callers=30),
                "--suppressions=$file", "--log-file=$dir/valgrind-%p.log";
        }

        exec @command or POSIX::_exit(1);
    }

    $nginx = $pid;

    wait_for(sub {
        my $s = connection() or return 0;
        print $s "GET /up HTTP/1.0\r\n\r\n";
        local $/;
        return <$s> =~ /204/;
    }, sanitized() ? 30 : 10) or die "nginx does not start: " . log_text()
                                     . _slurp("$dir/stderr.log");
    return 1;
}

sub _preload {
    return '' if !$ENV{NET_TEST_ASAN};

    chomp(my $asan = `gcc -print-file-name=libasan.so`);
    chomp(my $ubsan = `gcc -print-file-name=libubsan.so`);

    return "$asan $ubsan";
}

sub nginx_signal { kill $_[0], $nginx }

sub nginx_workers {
    my @pids = split ' ', `ps -o pid= --ppid $nginx`;
    return @pids;
}

# Waits for nginx to exit; returns 1 if it does in time.

sub nginx_wait_exit {
    my ($seconds) = @_;

    my $gone = wait_for(sub { waitpid($nginx, WNOHANG) == $nginx }, $seconds);
    undef $nginx if $gone;

    return $gone;
}

# Stops nginx, and returns 0 if a line must not be in its logs.

sub nginx_stop {
    my (%o) = @_;

    return if !$nginx;

    kill($o{signal} // 'QUIT', $nginx);

    if (!nginx_wait_exit(sanitized() ? 30 : 10)) {
        kill 'KILL', nginx_workers(), $nginx;
        waitpid $nginx, 0;
        undef $nginx;
        print STDERR "# nginx had to be killed\n";
        return 0;
    }

    my @bad = grep { /\[(alert|emerg)\]|Sanitizer|runtime error/ }
              split /\n/, log_text() . _slurp("$dir/stderr.log");
    @bad = grep { !/$o{allow}/ } @bad if $o{allow};

    for my $file (glob "$dir/valgrind-*.log") {
        push @bad, _slurp($file) if -s $file;
    }

    print STDERR "# $_\n" for @bad;

    unlink glob "$dir/*.log";

    return !@bad;
}

sub _slurp {
    my ($name) = @_;

    open my $f, '<', $name or return '';
    local $/;
    return <$f> // '';
}

sub log_text { _slurp("$dir/error.log") }

sub log_like { log_text() =~ $_[0] }

# Connects to nginx.

sub connection {
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
}

# Sends a GET to nginx; returns the answer's lines as a hash, and its body.

sub fetch {
    my ($uri, %o) = @_;

    my $s = connection() or return { error => "nginx: $!" };

    my $start = time;
    syswrite $s, "GET $uri HTTP/1.0\r\nHost: test\r\n\r\n";

    return $s if $o{socket};

    return raw_fetch($s, $start, $o{timeout} // 10);
}

sub raw_fetch {
    my ($s, $start, $timeout) = @_;

    my $all = '';
    my $end = time + ($timeout // 10) * (sanitized() ? 3 : 1);
    my $select = IO::Select->new($s);

    while (time < $end) {
        next if !$select->can_read(0.2);
        my $n = sysread $s, $all, 1 << 20, length $all;
        last if !$n;
    }

    my ($head, $text) = split /\r\n\r\n/, $all, 2;
    my ($lines, $body) = split /\n\n/, $text // '', 2;
    my %r = map { my ($n, $v) = split /=/, $_, 2; ($n, $v) }
            split /\n/, $lines // '';

    $r{error} //= 'no answer from nginx';
    $r{body} = $body // '';
    $r{head} = $head;
    $r{took} = time - ($start // time);

    return \%r;
}


# --- certificates

sub _openssl {
    my $out = `openssl @_ 2>&1`;
    die "openssl @_: $out" if $?;
}

sub make_ca {
    my ($name) = @_;

    _openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
             "-days 10 -subj '/CN=$name' -keyout $dir/$name.key",
             "-out $dir/$name.crt -addext basicConstraints=critical,CA:TRUE",
             "-addext keyUsage=critical,keyCertSign");
    return "$dir/$name.crt";
}

# $san as for OpenSSL ("DNS:localhost,IP:127.0.0.1"); %o: days, cn, usage

sub make_cert {
    my ($name, $ca, $san, %o) = @_;

    my $cn = $o{cn} // $name;
    my $usage = $o{usage} // 'serverAuth';
    my $ext = write_file("$name.ext", ($san ? "subjectAltName=$san\n" : '')
                         . "basicConstraints=CA:FALSE\n"
                         . "extendedKeyUsage=$usage\n");

    _openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
             "-subj '/CN=$cn' -keyout $dir/$name.key -out $dir/$name.csr");

    my $days = $o{days} // 5;

    _openssl("x509 -req -in $dir/$name.csr -CA $dir/$ca.crt",
             "-CAkey $dir/$ca.key -CAcreateserial -days $days",
             "-extfile $ext -out $dir/$name.crt");
    return "$dir/$name.crt";
}

sub tls_options {
    my ($name, %o) = @_;

    return { SSL_cert_file => "$dir/$name.crt",
             SSL_key_file => "$dir/$name.key", %o };
}

1;
