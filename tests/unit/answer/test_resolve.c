// SPDX-License-Identifier: GPL-3.0-or-later
// RFC 1034 4.3.2, 2308, 4592, 6604 and 6672 over static zones: what is asked, and the whole response.
#include "answer_support.h"

// "SOA" in an expectation stands for the negative SOA of the row's zone.
#define SOA "ns % 300 SOA ns.% hostmaster.% 1 7200 900 1209600 300\n"

enum { A = STEER_TYPE_A, AAAA = STEER_TYPE_AAAA, TXT = STEER_TYPE_TXT, MX = STEER_TYPE_MX };

struct row {
    const char *what;
    const char *name;
    uint16_t type;
    const char *response;
};

// The same records as a zone that has nothing but them, and as one with a delegation and a DNAME beside
// them, which is looked up from the apex down.
static const char common_records[] =
    "ns A 192.0.2.53\n"
    "www A 192.0.2.80\n"
    "www A 192.0.2.81\n"
    "www TXT \"hello\"\n"
    "www TYPE65280 \\# 3 abcdef\n"
    "a.b.c A 192.0.2.1\n"
    "alias CNAME www\n"
    "alias RRSIG CNAME 8 2 300 20300101000000 20200101000000 1 % c2ln\n"
    "gone CNAME nothing.www\n"
    "bare CNAME mail\n"
    "out CNAME www.example.org.\n"
    "loop1 CNAME loop2\n"
    "loop2 CNAME loop3\n"
    "loop3 CNAME loop1\n"
    "self CNAME self\n"
    "mail MX 10 mx1\n"
    "mail MX 20 mx1\n"
    "mail MX 30 mx2.b\n"
    "mail MX 40 mx.example.org.\n"
    "mx1 A 192.0.2.25\n"
    "mx1 AAAA 2001:db8::25\n"
    "mx2.b A 192.0.2.26\n"
    "null MX 0 .\n"
    "_sip._tcp SRV 1 2 5060 mx1\n"
    "_sip._tcp SRV 1 2 5061 mx1\n"
    "_none._tcp SRV 0 0 0 .\n"
    "svc HTTPS 1 . alpn=h2\n"
    "svc A 192.0.2.90\n"
    "svcalias HTTPS 0 svc\n"
    "svcnone HTTPS 0 .\n"
    "svcnone A 192.0.2.92\n"
    "sub.svc SVCB 1 mx1\n"
    "naptr NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" mx1\n"
    "naptr NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:x!\" .\n"
    "odd\\.\\000\\255 A 192.0.2.7\n"
    // RFC 4592 2.2.1
    "*.w TXT \"wild\"\n"
    "*.w MX 10 host1.w\n"
    "sub.*.w TXT \"not wild\"\n"
    "host1.w A 192.0.2.4\n"
    "_ssh._tcp.host1.w SRV 0 0 22 host1.w\n"
    "_ssh._tcp.host2.w SRV 0 0 22 host1.w\n"
    // and its darker corners
    "*.cw CNAME www\n"
    "*.self CNAME x.self.%\n"
    "*.grow CNAME x.*.grow\n"
    "*.ent A 192.0.2.5\n"
    "deep.below.ent TXT \"t\"\n"
    "x.*.star TXT \"under a star\"\n"
    "*.h HTTPS 1 . alpn=h2\n"
    "*.h A 192.0.2.91\n"
    "*.n NS ns.example.org.\n";

static const char special_records[] =
    "cut NS ns.cut\n"
    "cut NS ns2.sib\n"
    "cut NS ns.example.org.\n"
    "cut DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000\n"
    "ns.cut A 192.0.2.60\n"
    "ns.cut AAAA 2001:db8::60\n"
    "www.cut A 192.0.2.61\n" // occluded
    "sib NS ns2.sib\n"
    "ns2.sib A 192.0.2.62\n"
    "subdel.w NS ns.example.com.\n"
    "tocut CNAME x.cut\n"
    "mxcut MX 10 ns.cut\n"
    "d DNAME target\n"
    "d A 192.0.2.66\n"
    "hidden.d A 192.0.2.67\n"
    "mxhidden MX 10 hidden.d\n"
    "host.target A 192.0.2.68\n"
    "dcut DNAME cut\n"
    "dd DNAME dd.dd\n"
    "twice CNAME host.d\n"
    "via CNAME a.round\n"
    "round DNAME back\n"
    "a.back CNAME b.round\n"
    "b.back A 192.0.2.69\n"
    "dout DNAME example.org.\n"
    "long DNAME 23456789012345678901234567890123456789012345678901234567890123."
    "23456789012345678901234567890123456789012345678901234567890123."
    "23456789012345678901234567890123456789012345678901234567890123.z\n"
    "*.dw DNAME target\n"
    "child NS ns.child\n"
    "child DS 1 8 2 1111111111111111111111111111111111111111111111111111111111111111\n"
    "ns.child A 192.0.2.70\n"
    "tochild CNAME child\n";

#define MX_LINES                                                                                   \
    "an mail.% 3600 MX 10 mx1.%\nan mail.% 3600 MX 20 mx1.%\nan mail.% 3600 MX 30 mx2.b.%\n"       \
    "an mail.% 3600 MX 40 mx.example.org.\n"                                                       \
    "ar mx1.% 3600 A 192.0.2.25\nar mx1.% 3600 AAAA 2001:db8::25\n"                                \
    "ar mx2.b.% 3600 A 192.0.2.26\n"

static const struct row common_rows[] = {
    // exact names
    {"a record", "mx1.%", A, "NOERROR aa\nan mx1.% 3600 A 192.0.2.25\n"},
    {"all of an RRset", "www.%", A,
     "NOERROR aa\nan www.% 3600 A 192.0.2.80\nan www.% 3600 A 192.0.2.81\n"},
    {"a type that nobody knows", "www.%", 65280,
     "NOERROR aa\nan www.% 3600 TYPE65280 \\# 3 ABCDEF\n"},
    {"labels of any octets", "odd\\.\\000\\255.%", A,
     "NOERROR aa\nan odd\\.\\000\\255.% 3600 A 192.0.2.7\n"},
    {"the apex", "%", STEER_TYPE_NS, "NOERROR aa\nan % 3600 NS ns.%\nar ns.% 3600 A 192.0.2.53\n"},
    {"the SOA itself keeps its TTL", "%", STEER_TYPE_SOA,
     "NOERROR aa\nan % 900 SOA ns.% hostmaster.% 1 7200 900 1209600 300\n"},
    // negative answers
    {"no data of the type", "www.%", AAAA, "NOERROR aa\n" SOA},
    {"no data of an unknown type", "www.%", 65281, "NOERROR aa\n" SOA},
    {"type 0 is no steered address", "www.%", 0, "NOERROR aa\n" SOA},
    {"RRSIG has no data here", "www.%", STEER_TYPE_RRSIG, "NOERROR aa\n" SOA},
    {"no data at the apex", "%", AAAA, "NOERROR aa\n" SOA},
    {"DS where there is no parent", "%", STEER_TYPE_DS, "NOERROR aa\n" SOA},
    {"an empty non-terminal is there", "b.c.%", A, "NOERROR aa\n" SOA},
    {"and the one above it", "c.%", A, "NOERROR aa\n" SOA},
    {"no name", "nowhere.%", A, "NXDOMAIN aa\n" SOA},
    {"no name below one", "x.www.%", A, "NXDOMAIN aa\n" SOA},
    {"no name below an empty non-terminal", "z.b.c.%", A, "NXDOMAIN aa\n" SOA},
    {"a name that only begins alike", "ww.%", A, "NXDOMAIN aa\n" SOA},
    // CNAME
    {"a CNAME is followed", "alias.%", TXT,
     "NOERROR aa\nan alias.% 3600 CNAME www.%\nan www.% 3600 TXT \"hello\"\n"},
    {"a query for CNAME is answered by it", "alias.%", STEER_TYPE_CNAME,
     "NOERROR aa\nan alias.% 3600 CNAME www.%\n"},
    {"ANY too", "alias.%", ANY, "NOERROR aa\nan alias.% 3600 CNAME www.%\n"},
    {"what may stand beside a CNAME is given", "alias.%", STEER_TYPE_RRSIG,
     "NOERROR aa\nan alias.% 3600 RRSIG CNAME 8 2 300 1893456000 1577836800 1 % c2ln\n"},
    {"CNAME to no name", "gone.%", A, "NXDOMAIN aa\nan gone.% 3600 CNAME nothing.www.%\n" SOA},
    {"CNAME to no data", "bare.%", A, "NOERROR aa\nan bare.% 3600 CNAME mail.%\n" SOA},
    {"CNAME out of all zones", "out.%", A, "NOERROR aa\nan out.% 3600 CNAME www.example.org.\n"},
    {"a loop ends with what was found", "loop1.%", A,
     "NOERROR aa\nan loop1.% 3600 CNAME loop2.%\nan loop2.% 3600 CNAME loop3.%\n"
     "an loop3.% 3600 CNAME loop1.%\n"},
    {"and from its middle", "loop3.%", A,
     "NOERROR aa\nan loop3.% 3600 CNAME loop1.%\nan loop1.% 3600 CNAME loop2.%\n"
     "an loop2.% 3600 CNAME loop3.%\n"},
    {"a CNAME to itself", "self.%", A, "NOERROR aa\nan self.% 3600 CNAME self.%\n"},
    // additional data
    {"one host once, others as they are", "mail.%", MX, "NOERROR aa\n" MX_LINES},
    {"the null MX", "null.%", MX, "NOERROR aa\nan null.% 3600 MX 0 .\n"},
    {"SRV", "_sip._tcp.%", STEER_TYPE_SRV,
     "NOERROR aa\nan _sip._tcp.% 3600 SRV 1 2 5060 mx1.%\nan _sip._tcp.% 3600 SRV 1 2 5061 mx1.%\n"
     "ar mx1.% 3600 A 192.0.2.25\nar mx1.% 3600 AAAA 2001:db8::25\n"},
    {"SRV without a service", "_none._tcp.%", STEER_TYPE_SRV,
     "NOERROR aa\nan _none._tcp.% 3600 SRV 0 0 0 .\n"},
    {"HTTPS of its own owner", "svc.%", STEER_TYPE_HTTPS,
     "NOERROR aa\nan svc.% 3600 HTTPS 1 . alpn=h2\nar svc.% 3600 A 192.0.2.90\n"},
    {"HTTPS as an alias", "svcalias.%", STEER_TYPE_HTTPS,
     "NOERROR aa\nan svcalias.% 3600 HTTPS 0 svc.%\nar svc.% 3600 A 192.0.2.90\n"},
    {"HTTPS as an alias of nothing", "svcnone.%", STEER_TYPE_HTTPS,
     "NOERROR aa\nan svcnone.% 3600 HTTPS 0 .\n"},
    {"SVCB", "sub.svc.%", STEER_TYPE_SVCB,
     "NOERROR aa\nan sub.svc.% 3600 SVCB 1 mx1.%\nar mx1.% 3600 A 192.0.2.25\n"
     "ar mx1.% 3600 AAAA 2001:db8::25\n"},
    {"NAPTR", "naptr.%", STEER_TYPE_NAPTR,
     "NOERROR aa\nan naptr.% 3600 NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" mx1.%\n"
     "an naptr.% 3600 NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:x!\" .\n"
     "ar mx1.% 3600 A 192.0.2.25\nar mx1.% 3600 AAAA 2001:db8::25\n"},
    // ANY is one RRset (RFC 8482)
    {"ANY", "www.%", ANY, "NOERROR aa\nan www.% 3600 A 192.0.2.80\nan www.% 3600 A 192.0.2.81\n"},
    {"ANY at an empty non-terminal", "b.c.%", ANY, "NOERROR aa\n" SOA},
    {"ANY of no name", "nowhere.%", ANY, "NXDOMAIN aa\n" SOA},
    // wildcards: RFC 4592 2.2.1, in its order
    {"a wildcard", "host3.w.%", MX,
     "NOERROR aa\nan host3.w.% 3600 MX 10 host1.w.%\nar host1.w.% 3600 A 192.0.2.4\n"},
    {"a wildcard without the type", "host3.w.%", A, "NOERROR aa\n" SOA},
    {"a wildcard covers several labels", "foo.bar.w.%", TXT,
     "NOERROR aa\nan foo.bar.w.% 3600 TXT \"wild\"\n"},
    {"an existing name is not covered", "host1.w.%", MX, "NOERROR aa\n" SOA},
    {"nor one below a star", "sub.*.w.%", MX, "NOERROR aa\n" SOA},
    {"the closest encloser has no wildcard", "_telnet._tcp.host1.w.%", STEER_TYPE_SRV,
     "NXDOMAIN aa\n" SOA},
    {"nothing below a star but what is there", "ghost.*.w.%", MX, "NXDOMAIN aa\n" SOA},
    {"the wildcard asked by its name", "*.w.%", TXT, "NOERROR aa\nan *.w.% 3600 TXT \"wild\"\n"},
    {"a name below a star by its name", "sub.*.w.%", TXT,
     "NOERROR aa\nan sub.*.w.% 3600 TXT \"not wild\"\n"},
    {"not across an empty non-terminal", "x.host2.w.%", TXT, "NXDOMAIN aa\n" SOA},
    {"nor at one", "_tcp.host2.w.%", TXT, "NOERROR aa\n" SOA},
    // and others
    {"a wildcard beside an empty non-terminal", "other.ent.%", A,
     "NOERROR aa\nan other.ent.% 3600 A 192.0.2.5\n"},
    {"which it does not cover", "below.ent.%", A, "NOERROR aa\n" SOA},
    {"nor what is below that", "x.below.ent.%", A, "NXDOMAIN aa\n" SOA},
    {"a star with nothing but names below it", "any.star.%", TXT, "NOERROR aa\n" SOA},
    {"a star within a name is a label", "q.*.star.%", TXT, "NXDOMAIN aa\n" SOA},
    {"a wildcard CNAME", "q.cw.%", TXT,
     "NOERROR aa\nan q.cw.% 3600 CNAME www.%\nan www.% 3600 TXT \"hello\"\n"},
    {"asked for CNAME", "q.cw.%", STEER_TYPE_CNAME, "NOERROR aa\nan q.cw.% 3600 CNAME www.%\n"},
    {"a wildcard CNAME into itself", "y.self.%", A,
     "NOERROR aa\nan y.self.% 3600 CNAME x.self.%\nan x.self.% 3600 CNAME x.self.%\n"},
    {"a wildcard CNAME at its target", "x.self.%", A,
     "NOERROR aa\nan x.self.% 3600 CNAME x.self.%\n"},
    {"a wildcard CNAME below its own star", "q.grow.%", A,
     "NXDOMAIN aa\nan q.grow.% 3600 CNAME x.*.grow.%\n" SOA},
    {"HTTPS at a wildcard stands for the name asked", "q.h.%", STEER_TYPE_HTTPS,
     "NOERROR aa\nan q.h.% 3600 HTTPS 1 . alpn=h2\nar q.h.% 3600 A 192.0.2.91\n"},
};

static const struct row special_rows[] = {
    // delegations
    {"a referral with glue, that of siblings too", "www.cut.%", A,
     "NOERROR\nns cut.% 3600 NS ns.cut.%\nns cut.% 3600 NS ns2.sib.%\nns cut.% 3600 NS "
     "ns.example.org.\n"
     "ar ns.cut.% 3600 A 192.0.2.60\nar ns.cut.% 3600 AAAA 2001:db8::60\nar ns2.sib.% 3600 A "
     "192.0.2.62\n"},
    {"glue is not asked for here", "ns2.sib.%", A,
     "NOERROR\nns sib.% 3600 NS ns2.sib.%\nar ns2.sib.% 3600 A 192.0.2.62\n"},
    {"NS at the cut is a referral", "sib.%", STEER_TYPE_NS,
     "NOERROR\nns sib.% 3600 NS ns2.sib.%\nar ns2.sib.% 3600 A 192.0.2.62\n"},
    {"ANY at the cut", "sib.%", ANY,
     "NOERROR\nns sib.% 3600 NS ns2.sib.%\nar ns2.sib.% 3600 A 192.0.2.62\n"},
    {"a cut in a wildcard's way", "host.subdel.w.%", A,
     "NOERROR\nns subdel.w.% 3600 NS ns.example.com.\n"},
    {"DS at the cut is the parent's", "cut.%", STEER_TYPE_DS,
     "NOERROR aa\nan cut.% 3600 DS 1 8 2 "
     "0000000000000000000000000000000000000000000000000000000000000000\n"},
    {"no DS at the cut", "sib.%", STEER_TYPE_DS, "NOERROR aa\n" SOA},
    {"DS below the cut is not", "x.sib.%", STEER_TYPE_DS,
     "NOERROR\nns sib.% 3600 NS ns2.sib.%\nar ns2.sib.% 3600 A 192.0.2.62\n"},
    {"DS of a child that is served too", "child.%", STEER_TYPE_DS,
     "NOERROR aa\nan child.% 3600 DS 1 8 2 "
     "1111111111111111111111111111111111111111111111111111111111111111\n"},
    {"everything else of it is the child's", "child.%", A,
     "NOERROR aa\nan child.% 3600 A 192.0.2.71\n"},
    {"and its negative answers", "nowhere.child.%", A,
     "NXDOMAIN aa\nns child.% 300 SOA ns.child.% hostmaster.child.% 1 7200 900 1209600 300\n"},
    {"a chain into the child", "tochild.%", A,
     "NOERROR aa\nan tochild.% 3600 CNAME child.%\nan child.% 3600 A 192.0.2.71\n"},
    {"a chain to DS at the child's apex", "tochild.%", STEER_TYPE_DS,
     "NOERROR aa\nan tochild.% 3600 CNAME child.%\n"
     "an child.% 3600 DS 1 8 2 1111111111111111111111111111111111111111111111111111111111111111\n"},
    {"a chain that ends at a cut", "tocut.%", A,
     "NOERROR aa\nan tocut.% 3600 CNAME x.cut.%\nns cut.% 3600 NS ns.cut.%\nns cut.% 3600 NS "
     "ns2.sib.%\n"
     "ns cut.% 3600 NS ns.example.org.\nar ns.cut.% 3600 A 192.0.2.60\n"
     "ar ns.cut.% 3600 AAAA 2001:db8::60\nar ns2.sib.% 3600 A 192.0.2.62\n"},
    {"a wildcard's NS is no delegation of what it covers", "x.n.%", A, "NOERROR aa\n" SOA},
    {"but of its own name", "*.n.%", A, "NOERROR\nns *.n.% 3600 NS ns.example.org.\n"},
    // DNAME
    {"below a DNAME", "host.d.%", A,
     "NOERROR aa\nan d.% 3600 DNAME target.%\nan host.d.% 3600 CNAME host.target.%\n"
     "an host.target.% 3600 A 192.0.2.68\n"},
    {"no such target", "x.y.d.%", A,
     "NXDOMAIN aa\nan d.% 3600 DNAME target.%\nan x.y.d.% 3600 CNAME x.y.target.%\n" SOA},
    {"at a DNAME", "d.%", A, "NOERROR aa\nan d.% 3600 A 192.0.2.66\n"},
    {"the DNAME itself", "d.%", STEER_TYPE_DNAME, "NOERROR aa\nan d.% 3600 DNAME target.%\n"},
    {"no data at a DNAME", "d.%", TXT, "NOERROR aa\n" SOA},
    {"asked for CNAME below it", "host.d.%", STEER_TYPE_CNAME,
     "NOERROR aa\nan d.% 3600 DNAME target.%\nan host.d.% 3600 CNAME host.target.%\n"},
    {"asked for ANY below it", "host.d.%", ANY,
     "NOERROR aa\nan d.% 3600 DNAME target.%\nan host.d.% 3600 CNAME host.target.%\n"
     "an host.target.% 3600 A 192.0.2.68\n"},
    {"a name that a DNAME hides", "hidden.d.%", A,
     "NXDOMAIN aa\nan d.% 3600 DNAME target.%\nan hidden.d.% 3600 CNAME hidden.target.%\n" SOA},
    {"which is no additional data either", "mxhidden.%", MX,
     "NOERROR aa\nan mxhidden.% 3600 MX 10 hidden.d.%\n"},
    {"glue is", "mxcut.%", MX,
     "NOERROR aa\nan mxcut.% 3600 MX 10 ns.cut.%\nar ns.cut.% 3600 A 192.0.2.60\n"
     "ar ns.cut.% 3600 AAAA 2001:db8::60\n"},
    {"a CNAME to below a DNAME", "twice.%", A,
     "NOERROR aa\nan twice.% 3600 CNAME host.d.%\nan d.% 3600 DNAME target.%\n"
     "an host.d.% 3600 CNAME host.target.%\nan host.target.% 3600 A 192.0.2.68\n"},
    {"one DNAME twice is given once", "via.%", A,
     "NOERROR aa\nan via.% 3600 CNAME a.round.%\nan round.% 3600 DNAME back.%\n"
     "an a.round.% 3600 CNAME a.back.%\nan a.back.% 3600 CNAME b.round.%\n"
     "an b.round.% 3600 CNAME b.back.%\nan b.back.% 3600 A 192.0.2.69\n"},
    {"a DNAME to below a cut", "x.dcut.%", A,
     "NOERROR aa\nan dcut.% 3600 DNAME cut.%\nan x.dcut.% 3600 CNAME x.cut.%\nns cut.% 3600 NS "
     "ns.cut.%\n"
     "ns cut.% 3600 NS ns2.sib.%\nns cut.% 3600 NS ns.example.org.\nar ns.cut.% 3600 A 192.0.2.60\n"
     "ar ns.cut.% 3600 AAAA 2001:db8::60\nar ns2.sib.% 3600 A 192.0.2.62\n"},
    {"a DNAME out of all zones", "x.dout.%", A,
     "NOERROR aa\nan dout.% 3600 DNAME example.org.\nan x.dout.% 3600 CNAME x.example.org.\n"},
    {"a wildcard DNAME redirects nothing", "x.dw.%", A, "NOERROR aa\n" SOA},
};

static const char child_records[] = "@ A 192.0.2.71\nns A 192.0.2.70\n";

// Zones whose apex is a DNAME, and ones that point at each other.
static const char apex_dname[] = "@ DNAME plain.test.\nns A 192.0.2.53\n@ TXT \"t\"\n";
static const char ping[] =
    "a CNAME b.pong.test.\nc CNAME d.pong.test.\ne TXT \"end\"\nns A 192.0.2.53\n";
static const char pong[] = "b CNAME a.ping.test.\nd CNAME e.ping.test.\nns A 192.0.2.53\n";

static void put_zone(struct steer_world_edit *edit, const char *origin, const char *first,
                     const char *second)
{
    struct steer_buf all = {0}, text = {0};
    steer_buf_puts(&all, first);
    steer_buf_puts(&all, second);
    with_origin(all.data, origin, &text);
    finish_zone(edit, zone_of(origin, text.data));
    steer_buf_fini(&all);
    steer_buf_fini(&text);
}

static int build_world(void **state)
{
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    put_zone(edit, "plain.test.", common_records, "");
    put_zone(edit, "special.test.", common_records, special_records);
    put_zone(edit, "child.special.test.", child_records, "");
    put_zone(edit, "moved.test.", apex_dname, "");
    put_zone(edit, "ping.test.", ping, "");
    put_zone(edit, "pong.test.", pong, "");
    *state = finish_world(edit);
    return 0;
}

static int drop_world(void **state)
{
    steer_world_destroy(*state);
    return 0;
}

static void check(const struct steer_world *world, const char *origin, const struct row *rows,
                  size_t count)
{
    static struct reply reply;
    struct steer_buf name = {0}, want = {0}, got = {0};
    for (size_t i = 0; i < count; i++) {
        with_origin(rows[i].name, origin, &name);
        with_origin(rows[i].response, origin, &want);
        const struct question q = {.name = strcmp(name.data, "") ? name.data : ".",
                                   .type = rows[i].type};
        ask_for(world, &plain_settings, &q, true, 0, &reply);
        response_text(reply.wire, reply.len, &got);
        if (strcmp(got.data, want.data) != 0)
            fail_msg("%s (%s %u)\n--- expected\n%s--- came\n%s", rows[i].what, name.data,
                     rows[i].type, want.data, got.data);
    }
    steer_buf_fini(&name);
    steer_buf_fini(&want);
    steer_buf_fini(&got);
}

static void a_zone_without_cuts_answers_each_question(void **state)
{
    check(*state, "plain.test.", common_rows, STEER_ARRAY_LEN(common_rows));
}

static void a_zone_with_cuts_answers_the_same(void **state)
{
    check(*state, "special.test.", common_rows, STEER_ARRAY_LEN(common_rows));
}

static void cuts_and_dnames_are_met_from_above(void **state)
{
    check(*state, "special.test.", special_rows, STEER_ARRAY_LEN(special_rows));
}

static void chains_go_through_all_zones_served(void **state)
{
    static const struct row rows[] = {
        {"to and fro", "c.ping.test.", TXT,
         "NOERROR aa\nan c.ping.test. 3600 CNAME d.pong.test.\nan d.pong.test. 3600 CNAME "
         "e.ping.test.\n"
         "an e.ping.test. 3600 TXT \"end\"\n"},
        {"in a circle", "b.pong.test.", TXT,
         "NOERROR aa\nan b.pong.test. 3600 CNAME a.ping.test.\nan a.ping.test. 3600 CNAME "
         "b.pong.test.\n"},
        {"nothing at the end: the SOA of the last zone", "d.pong.test.", A,
         "NOERROR aa\nan d.pong.test. 3600 CNAME e.ping.test.\n"
         "ns ping.test. 300 SOA ns.ping.test. hostmaster.ping.test. 1 7200 900 1209600 300\n"},
        {"below a DNAME at an apex", "www.moved.test.", TXT,
         "NOERROR aa\nan moved.test. 3600 DNAME plain.test.\nan www.moved.test. 3600 CNAME "
         "www.plain.test.\n"
         "an www.plain.test. 3600 TXT \"hello\"\n"},
        {"which hides the zone's own names", "ns.moved.test.", A,
         "NOERROR aa\nan moved.test. 3600 DNAME plain.test.\nan ns.moved.test. 3600 CNAME "
         "ns.plain.test.\n"
         "an ns.plain.test. 3600 A 192.0.2.53\n"},
        {"but not the apex", "moved.test.", TXT, "NOERROR aa\nan moved.test. 3600 TXT \"t\"\n"},
        {"a name outside all zones", "example.org.", A, "REFUSED\n"},
        {"the parent of zones", "test.", A, "REFUSED\n"},
        {"the root", ".", STEER_TYPE_NS, "REFUSED\n"},
    };
    check(*state, "", rows, STEER_ARRAY_LEN(rows));
}

static void the_root_can_be_served(void **state)
{
    (void)state;
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    finish_zone(edit, zone_of(".", "ns A 192.0.2.53\n* TXT \"wild\"\n@ A 192.0.2.3\nnull MX 0 "
                                   ".\nnet NS ns.net\nns.net A 192.0.2.1\n"));
    struct steer_world *world = finish_world(edit);
    static const struct row rows[] = {
        {"NS", ".", STEER_TYPE_NS, "NOERROR aa\nan . 3600 NS ns.\nar ns. 3600 A 192.0.2.53\n"},
        {"DS", ".", STEER_TYPE_DS,
         "NOERROR aa\nns . 300 SOA ns. hostmaster. 1 7200 900 1209600 300\n"},
        {"the null MX is not the root", "null.", MX, "NOERROR aa\nan null. 3600 MX 0 .\n"},
        {"a wildcard", "a.b.", TXT, "NOERROR aa\nan a.b. 3600 TXT \"wild\"\n"},
        {"a referral", "www.net.", A,
         "NOERROR\nns net. 3600 NS ns.net.\nar ns.net. 3600 A 192.0.2.1\n"},
        {"DS of a child", "net.", STEER_TYPE_DS,
         "NOERROR aa\nns . 300 SOA ns. hostmaster. 1 7200 900 1209600 300\n"},
    };
    check(world, "", rows, STEER_ARRAY_LEN(rows));
    steer_world_destroy(world);
}

// RFC 6672 2.2: the DNAME alone says what happened.
static void a_name_that_a_dname_makes_too_long_is_yxdomain(void **state)
{
    static struct reply reply;
    struct steer_buf got = {0};
    // The target is 205 octets long, so that 50 are left for what stands before it.
    const struct question fits = {
        .name = "1234567890123456789012345678901234567890123456789.long.special.test.", .type = A};
    const struct question over = {
        .name = "12345678901234567890123456789012345678901234567890.long.special.test.", .type = A};
    ask_for(*state, &plain_settings, &fits, true, 0, &reply);
    assert_int_equal(reply.facts.rcode, STEER_RCODE_NXDOMAIN);
    ask_for(*state, &plain_settings, &over, true, 0, &reply);
    response_text(reply.wire, reply.len, &got);
    assert_int_equal(reply.facts.rcode, STEER_RCODE_YXDOMAIN);
    assert_non_null(strstr(got.data, "YXDOMAIN aa\nan long.special.test. 3600 DNAME 2345"));
    assert_null(strstr(got.data, "CNAME"));
    steer_buf_fini(&got);
}

static unsigned occurrences(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static void a_chain_that_grows_ends_in_a_normal_reply(void **state)
{
    static struct reply reply;
    struct steer_buf got = {0};
    const struct question q = {.name = "x.dd.special.test.", .type = A};
    ask_for(*state, &plain_settings, &q, true, 0, &reply);
    response_text(reply.wire, reply.len, &got);
    assert_int_equal(reply.facts.rcode, STEER_RCODE_NOERROR);
    assert_int_equal(occurrences(got.data, "DNAME"), 1);
    assert_int_equal(occurrences(got.data, "CNAME"), 17); // the question and sixteen names after it
    steer_buf_fini(&got);
}

static void a_long_chain_of_cnames_is_cut(void **state)
{
    (void)state;
    static struct reply reply;
    struct steer_buf text = {0};
    for (unsigned i = 0; i < 40; i++)
        steer_buf_printf(&text, "c%u CNAME c%u\n", i, i + 1);
    steer_buf_puts(&text, "c40 A 192.0.2.1\n");
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    finish_zone(edit, zone_of("long.test.", text.data));
    struct steer_world *world = finish_world(edit);
    for (unsigned start = 0; start < 40; start++) {
        char name[32];
        snprintf(name, sizeof name, "c%u.long.test.", start);
        const struct question q = {.name = name, .type = A};
        ask_for(world, &plain_settings, &q, true, 0, &reply);
        response_text(reply.wire, reply.len, &text);
        const unsigned left = 40 - start;
        assert_int_equal(occurrences(text.data, "CNAME"), left < 17 ? left : 17);
        assert_int_equal(occurrences(text.data, " A "), left <= 16);
    }
    steer_world_destroy(world);
    steer_buf_fini(&text);
}

// Facts that the server counts by.
static void facts_say_what_was_answered(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        enum steer_outcome_kind kind;
    } rows[] = {
        {"www.plain.test.", A, STEER_FACT_POSITIVE},
        {"alias.plain.test.", A, STEER_FACT_POSITIVE},
        {"out.plain.test.", A, STEER_FACT_POSITIVE},
        {"x.d.special.test.", STEER_TYPE_CNAME, STEER_FACT_POSITIVE},
        {"www.plain.test.", AAAA, STEER_FACT_NODATA},
        {"b.c.plain.test.", A, STEER_FACT_NODATA},
        {"nowhere.plain.test.", A, STEER_FACT_NXDOMAIN},
        {"gone.plain.test.", A, STEER_FACT_NXDOMAIN},
        {"x.cut.special.test.", A, STEER_FACT_REFERRAL},
        {"tocut.special.test.", A, STEER_FACT_POSITIVE},
        {"example.org.", A, STEER_FACT_REFUSED},
        {"plain.test.", STEER_TYPE_AXFR, STEER_FACT_REFUSED},
    };
    static struct reply reply;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct question q = {.name = rows[i].name, .type = rows[i].type};
        ask_for(*state, &plain_settings, &q, false, 0, &reply);
        assert_int_equal(reply.facts.kind, rows[i].kind);
        assert_int_equal(reply.facts.qtype, rows[i].type);
        assert_false(reply.facts.steered);
        assert_int_equal(reply.facts.rcode, reply.wire[3] & 15);
    }
}

// Zones inside zones, more of them than are looked up without fetching ahead; a batch says what each
// question gets alone, broken ones and those for nobody's zone among them.
static void a_batch_over_many_zones_answers_as_one_by_one(void **state)
{
    (void)state;
    enum { ZONES = 200, WIRE = 300 };
    static struct reply alone;
    static struct steer_prepared batch[STEER_BATCH_MAX];
    static uint8_t messages[STEER_BATCH_MAX][WIRE], wire[OUT_BYTES];
    struct steer_ask asks[STEER_BATCH_MAX];
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    finish_zone(edit, zone_of("test.", "www A 192.0.2.1\n"));
    for (unsigned i = 0; i < ZONES; i++) {
        char origin[64];
        snprintf(origin, sizeof origin, i % 2 ? "z%u.test." : "in.z%u.test.", i | 1);
        finish_zone(edit, zone_of(origin, "www A 192.0.2.2\n@ A 192.0.2.3\n"));
    }
    struct steer_world *world = finish_world(edit);
    static const char *const forms[][2] = {{"www.in.z", ".test."}, {"in.z", ".test."},
                                           {"www.z", ".test."},    {"no.z", ".test."},
                                           {"x.y.z", ".q.test."},  {"www.test", "."}};
    uint64_t kinds = 0;
    for (unsigned first = 0; first < ZONES; first += STEER_BATCH_MAX) {
        for (unsigned i = 0; i < STEER_BATCH_MAX; i++) {
            char name[64];
            const char *const *form = forms[i % STEER_ARRAY_LEN(forms)];
            snprintf(name, sizeof name, "%s%u%s", form[0], first + i, form[1]);
            const struct question q = {.name = name,
                                       .type = i % 7 == 0   ? STEER_TYPE_DS
                                               : i % 5 == 0 ? AAAA
                                                            : A};
            asks[i] = (struct steer_ask){.message = messages[i], .client = {STEER_V4, {10}}};
            asks[i].len = make_message(&q, messages[i], WIRE) - (i % 11 == 10);
            steer_answer_prepare(&asks[i], &batch[i]);
        }
        steer_answer_locate(world, asks, batch, STEER_BATCH_MAX);
        for (unsigned i = 0; i < STEER_BATCH_MAX; i++) {
            struct steer_facts facts;
            put_question(world, &plain_settings, &asks[i], &alone);
            const size_t len = steer_answer_render(world, &plain_settings, &asks[i], &batch[i],
                                                   wire, sizeof wire, &facts);
            assert_int_equal(len, alone.len);
            assert_memory_equal(wire, alone.wire, len);
            assert_memory_equal(&facts, &alone.facts, sizeof facts);
            kinds |= UINT64_C(1) << facts.kind;
        }
    }
    assert_int_equal(kinds, 1 << STEER_FACT_POSITIVE | 1 << STEER_FACT_NODATA |
                                1 << STEER_FACT_NXDOMAIN | 1 << STEER_FACT_REFUSED |
                                1 << STEER_FACT_ERROR);
    steer_world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_over_many_zones_answers_as_one_by_one),
        cmocka_unit_test(a_zone_without_cuts_answers_each_question),
        cmocka_unit_test(a_zone_with_cuts_answers_the_same),
        cmocka_unit_test(cuts_and_dnames_are_met_from_above),
        cmocka_unit_test(chains_go_through_all_zones_served),
        cmocka_unit_test(the_root_can_be_served),
        cmocka_unit_test(a_name_that_a_dname_makes_too_long_is_yxdomain),
        cmocka_unit_test(a_chain_that_grows_ends_in_a_normal_reply),
        cmocka_unit_test(a_long_chain_of_cnames_is_cut),
        cmocka_unit_test(facts_say_what_was_answered),
    };
    return cmocka_run_group_tests(tests, build_world, drop_world);
}
